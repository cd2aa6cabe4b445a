"""What the parent does with a worker, whatever the worker's work is: here, a module that the test writes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ninspect.errors import ExitCode, InconclusiveError, NinspectError, UsageError
from ninspect.isolation import Limits, Listener, run

LIMITS = Limits(required=False, seconds=60, memory=2**29)
GROUND = {"ninspect", "ninspect.errors", "ninspect.names", "ninspect.text"}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a module has to be for a worker to find it as `work`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "work.py"


def answer(module: Path, code: str, work: dict[str, Any] | None = None) -> dict[str, Any]:
    module.write_text(f"import json, sys, time\nrequest = json.load(sys.stdin)\n{code}\n", encoding="utf-8")
    return run("work", work or {}, [], False, LIMITS, Listener())


def test_any_module_can_be_the_worker(module: Path) -> None:
    assert answer(module, "print(json.dumps({'answer': request['work']}))", {"double": [1, 2]}) == {"double": [1, 2]}


def test_a_worker_that_takes_too_much_memory_is_stopped_by_its_parent_alone(module: Path) -> None:
    with pytest.raises(InconclusiveError, match=r"it took more than 512\.0 MiB of memory and was stopped"):
        answer(module, "taken = b'x' * 2**30; time.sleep(1000)")


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (1, InconclusiveError, ExitCode.SUSPECTED),
        (2, UsageError, ExitCode.USAGE),
        (3, InconclusiveError, ExitCode.INCONCLUSIVE),
        (0, NinspectError, ExitCode.INTERNAL),
        (99, NinspectError, ExitCode.INTERNAL),
    ],
)
def test_an_error_keeps_its_exit_code_but_for_those_that_are_none(
    module: Path, code: int, kind: type[NinspectError], exit_code: ExitCode
) -> None:
    with pytest.raises(NinspectError, match="it is broken") as error:
        answer(module, f"print(json.dumps({{'error': [{code}, 'it is broken']}}))")
    assert (type(error.value), error.value.exit_code) == (kind, exit_code)


def test_a_message_may_be_as_long_as_a_result_with_triggers(module: Path) -> None:
    assert len(answer(module, "print(json.dumps({'answer': {'trigger': 'x' * 40 * 2**20}}))")["trigger"]) == 40 * 2**20


def test_the_folder_rests_on_the_ground_alone() -> None:
    program = "import json, sys, ninspect.isolation; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    loaded = {name for name in json.loads(done.stdout) if name.partition(".")[0] == "ninspect"}
    assert {name for name in loaded if not name.startswith("ninspect.isolation")} == GROUND
