"""Tests that run side by side must not take each other's cores: ONNX Runtime's threads spin while they wait."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("COLUMNS", None)  # of the terminal that started them, which texts would follow
    worker = getattr(config, "workerinput", None)
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker["workerid"].removeprefix("gw")) % len(cores)]})
