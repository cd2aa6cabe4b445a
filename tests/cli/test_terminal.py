import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ninspect.report import Result
from tests.support import backdoored_weights, linear_scan_files

pty = pytest.importorskip("pty", reason="needs a Unix terminal")


def run_in_terminal(*arguments: str | Path, stdout_too: bool) -> tuple[int, str, str]:
    """Run `ninspect` with a terminal as stderr or as both; returns exit code, what was piped, what is shown."""
    terminal, end = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "ninspect", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=end if stdout_too else subprocess.PIPE,
        stderr=end,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"},
    )
    os.close(end)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
    out, _ = run.communicate(timeout=60)
    os.close(terminal)
    return run.returncode, (out or b"").decode(), shown.decode()


def test_the_progress_is_on_the_terminal_and_the_result_alone_on_stdout(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    code, out, shown = run_in_terminal("scan", model, "-s", images, "--format", "json", stdout_too=False)
    assert code == 1
    assert Result.model_validate_json(out).targets == [7]
    assert re.search(r"step \d of \d, comparing classes", shown)
    assert "SUSPECTED" not in shown


def test_a_person_at_a_terminal_sees_the_result_in_colour(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    code, _, shown = run_in_terminal("scan", model, "-s", images, stdout_too=True)
    assert code == 1
    assert "\x1b[1;31mSUSPECTED" in shown
