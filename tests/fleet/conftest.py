"""What the tests of many models begin with."""

from pathlib import Path

import pytest

from tests.fleet.fast import make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A backdoored model, two clean ones, and images."""
    return make_folder(tmp_path)
