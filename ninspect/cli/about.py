"""Commands about ninspect itself, which need no model of yours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ninspect.cli import options as opt
from ninspect.cli.output import emit
from ninspect.dispatch import perform
from ninspect.errors import ExitCode, UsageError
from ninspect.isolation import LAYERS, Listener
from ninspect.requests import DoctorRequest
from ninspect.text import byte_count, printable

_EXPECTED = {"badnet_keras.onnx": ExitCode.SUSPECTED, "clean_keras.onnx": ExitCode.CLEAN}


def version() -> None:
    """Show the version, as --version does."""
    from importlib.metadata import version as installed

    emit(f"ninspect {installed('ninspect')}\n")


def show_help(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="COMMAND", help="Of which.", show_default=False)] = None,
) -> None:
    """Show what ninspect, or one of its commands, does, as --help does."""
    above: Any = context.parent
    command = above.command if name is None else above.command.get_command(above, name)
    if command is None:
        raise UsageError(f"there is no command '{name}'; ninspect help lists them")
    of_it = above if name is None else type(above)(command, info_name=name, parent=above)
    emit(f"{command.get_help(of_it)}\n")


def selftest() -> None:
    """Scan a backdoored model and its clean twin, which come along: can this installation tell them apart?

    Exit code 4 where it cannot.

    Example: ninspect selftest
    """
    right = True
    for name, expected in _EXPECTED.items():
        model = bundled() / name
        options = ["--config", os.devnull, "scan", str(model), "--samples", str(model.parent / "samples")]
        done = subprocess.run(
            [sys.executable, "-m", "ninspect", *options, "--format", "json"],
            env={name: value for name, value in os.environ.items() if not name.startswith("NINSPECT_SCAN_")},
            stdout=subprocess.PIPE,
            check=False,
        )
        right = right and done.returncode == expected
        emit(f"{'ok   ' if done.returncode == expected else 'WRONG'}  {name:17}  {_verdict(done.stdout)}\n")
    raise typer.Exit(ExitCode.CLEAN if right else ExitCode.INTERNAL)


def _verdict(output: bytes) -> str:
    from ninspect.report import Result

    try:
        result = Result.from_json(output)
    except ValueError:
        return "no result"
    return f"{result.verdict} in {result.seconds:.1f} s: {result.reason}"


def bundled() -> Path:
    """The folder of the models that come along: inside the package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "bundled"
    return inside if inside.is_dir() else package.parent / "models" / "digits"


def doctor(format_: opt.InfoFormat = "text") -> None:
    """Show what this installation has: versions, devices, and the layers of the sandbox.

    Example: ninspect doctor
    """
    missing: dict[str, str] = {}

    def tell(kind: str, value: Any) -> None:
        if kind == "missing":
            missing.update(value)

    limits = opt.LimitOptions(sandbox="auto").limits(None)
    assert limits is not None
    facts = perform(DoctorRequest(), limits, Listener(tell))
    facts["memory limit"] = byte_count(limits.memory)
    facts["sandbox"] = ", ".join(layer for layer in LAYERS if layer not in missing)
    _show(facts | {f"without {layer}": reason for layer, reason in missing.items()}, format_)


def operators(format_: opt.InfoFormat = "text") -> None:
    """List the operators that may lie between the image and the scores, and how each is differentiated.

    Example: ninspect operators
    """
    from ninspect.model.operators import supported

    known = supported().items()
    if format_ == "json":
        _show({name: {"how": support.how, "formula": support.formula} for name, support in known}, format_)
    else:
        _show({name: f"{support.how:11}  {support.formula}".rstrip() for name, support in known}, format_)


def rules(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these findings.", show_default=False)
    ] = None,
    format_: opt.InfoFormat = "text",
) -> None:
    """Show what every finding means and what to do about it.

    Example: ninspect rules

    Example: ninspect rules BD001
    """
    from dataclasses import asdict

    from ninspect.findings import RULES

    unknown = [name for name in wanted or () if name.upper() not in RULES]
    if unknown:
        raise UsageError(f"there is no finding {unknown[0]}; ninspect rules lists them")
    shown = [RULES[name.upper()] for name in wanted] if wanted else [*RULES.values()]
    if format_ == "json":
        emit(json.dumps([asdict(rule) for rule in shown], indent=2) + "\n")
    else:
        emit("\n".join(_paragraphs(f"{r.id}  {r.title} ({r.severity})", (r.meaning, r.advice)) for r in shown))


def _show(facts: Mapping[str, Any], format_: str) -> None:
    if format_ == "json":
        emit(json.dumps(facts, indent=2) + "\n")
    else:
        width = max(map(len, facts))
        emit("".join(f"{name:{width}}  {printable(str(value))}\n" for name, value in facts.items()))


def _paragraphs(head: str, texts: Iterable[str]) -> str:
    import textwrap

    lines = (textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    ") for text in texts)
    return "\n".join((head, *lines)) + "\n"
