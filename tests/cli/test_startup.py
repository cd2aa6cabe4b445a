import json
import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from ninspect.cli import options
from ninspect.detect import METHODS
from ninspect.gradient import OBJECTIVES
from ninspect.preprocess import settings as preprocess
from ninspect.runtime import Device
from tests.support import even_weights, linear_scan_files

HEAVY = {"numpy", "onnx", "onnx_ir", "onnxruntime", "scipy", "PIL", "pydantic", "torch"}

LIST_MODULES = "import json; print(json.dumps(sorted(set(sys.modules))), file=sys.stderr)"
HELP = f"""
import sys
from ninspect.cli import main
sys.argv = ["ninspect", "--help"]
try:
    main()
except SystemExit:
    pass
{LIST_MODULES}
"""


@pytest.mark.parametrize("program", [HELP, f"import sys, ninspect; {LIST_MODULES}"], ids=["--help", "import"])
def test_nothing_heavy_is_imported_before_it_is_needed(program: str) -> None:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(run.stderr)}
    assert "ninspect" in loaded
    assert loaded & HEAVY == set()


SCAN = f"""
import sys
from ninspect.cli import main
sys.argv = ["ninspect", "scan", "model.onnx", "--samples", "images.npz"]
try:
    main()
except SystemExit:
    pass
{LIST_MODULES}
"""


def test_the_process_that_the_user_started_reads_no_model(tmp_path: Path) -> None:
    linear_scan_files(tmp_path, even_weights())
    run = subprocess.run(
        [sys.executable, "-c", SCAN], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=True
    )
    assert run.stdout.startswith("CLEAN")
    loaded = {name.partition(".")[0] for name in json.loads(run.stderr)}
    assert loaded & HEAVY == {"pydantic"}


def choices(annotation: Any) -> tuple[str, ...]:
    """The values of an option that is declared as `Annotated[Literal[...], ...]`, with or without None."""
    values: list[str] = []
    kind = get_args(annotation)[0]
    for part in (kind, *get_args(kind)):
        if not isinstance(part, str) and "Literal" in str(get_origin(part)):
            values += get_args(part)
    return tuple(values)


def parameter(command: Callable[..., None], name: str) -> Any:
    return signature(command, eval_str=True).parameters[name].annotation


def test_the_choices_on_the_command_line_are_those_of_the_library() -> None:
    assert tuple(options.Method) == METHODS
    assert choices(options.ObjectiveOption) == OBJECTIVES
    assert choices(options.DeviceOption) == get_args(Device)
    assert choices(options.LayoutOption) == get_args(preprocess.Layout)
    assert choices(options.Color) == get_args(preprocess.Color)
    assert choices(options.ResizeOption) == get_args(preprocess.Resize)
    assert choices(options.Preset) == tuple(preprocess.PRESETS)
