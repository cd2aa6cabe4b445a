"""Export the coverage suite: architectures that people use, with random weights, in the forms that they export.

Writes `NAME__FORM.onnx` and, where a framework can say what is right, `NAME__FORM.npz` with inputs, logits and
gradients that the framework computed in float64. What exists is left as it is. Exports that the exporter or ONNX
Runtime refuses are listed with the reason in `failures.json`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import onnxruntime
import typer

from tools.suite.file import DTYPES, Export, Reference, matches

# The modules of the suite, with the package that each needs; those that say so have an environment of their own.
_MODULES = {
    "torch_exports": "timm",
    "keras_exports": "keras",
    "forms": "timm",
    "optimised": "timm",
    "shipped": "timm",
    "paddle_exports": "paddle",
    "mxnet_exports": "mxnet",
    "coreml_exports": "coremltools",
    "optimum_exports": "optimum",
}


def exports() -> list[Export]:
    """All that the packages here can write; they are imported here and in no file that only reads the suite."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = list[Export]()
    for module, package in _MODULES.items():
        if find_spec(package):
            found += import_module(f"tools.suite.{module}").exports()
        else:
            print(f"{module}: left out, since {package} is not installed", file=sys.stderr)
    return found


def main(
    patterns: Annotated[list[str] | None, typer.Argument(help="Files to write, without the suffix; else all.")] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path(".cache/export_suite"),
) -> None:
    """Write what is missing.

    Example: python -m tools.suite.export 'resnet*' '*__dynamo__*'
    """
    out.mkdir(parents=True, exist_ok=True)
    for export in exports():
        path = out / f"{export.stem}.onnx"
        if path.exists() or not matches(export.stem, patterns):
            continue
        start = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                export.write(path)
                _run(path)
            outcome, failure = "written", None
        except Exception as error:  # an exporter's bug, which is part of what the suite reports
            if os.environ.get("SUITE_DEBUG"):
                traceback.print_exc()
            for part in out.glob(f"{export.stem}.*"):
                part.unlink()
            outcome = failure = f"{type(error).__name__}: {_short(error)}"
        _record(out / "failures.json", export.stem, failure)
        print(f"{export.stem}: {outcome} ({time.monotonic() - start:.1f} s)", flush=True)


def _run(path: Path) -> None:
    """Make sure that ONNX Runtime takes the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    reference = Reference.load(path)
    if reference is not None:
        image = session.get_inputs()[0]
        x = reference.x[:1] if image.shape[0] == 1 else reference.x
        session.run(None, {image.name: x.astype(DTYPES[image.type])})


def _record(log: Path, stem: str, failure: str | None) -> None:
    failures: dict[str, str] = json.loads(log.read_text()) if log.exists() else {}
    failures.pop(stem, None)
    if failure is not None:
        failures[stem] = failure
    log.write_text(json.dumps(failures, indent=1, sort_keys=True) + "\n")


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])[:300]


if __name__ == "__main__":
    typer.run(main)
