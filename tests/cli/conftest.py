import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ninspect.cli import main

# Runs `ninspect` with some arguments; returns exit code, stdout and stderr.
CommandLine = Callable[..., tuple[object, str, str]]


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line in this process and in `tmp_path`, for where processes of their own would only cost time."""

    def run(*arguments: str | Path) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["ninspect", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capfd.readouterr()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINSPECT_SANDBOX", "off")
    yield run
    logging.disable(logging.NOTSET)
