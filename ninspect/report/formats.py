"""A result in each of the formats. Modules are imported when their format is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from ninspect.errors import UsageError
from ninspect.report.schema import SCHEMA, Result
from ninspect.report.text import text_report


def render(result: Result, format_: str, details: bool = False, width: int | None = None) -> str:
    """The result in one of `ninspect.names.FORMATS`.

    Args:
        result: what a scan found.
        format_: its name.
        details: as text, also the scores that each method gave the classes.
        width: of text.
    """
    if format_ == "json":
        return result.to_json()
    if format_ == "text":
        return text_report(result, details) if width is None else text_report(result, details, width)
    report = getattr(import_module(f"ninspect.report.{format_}"), f"{format_}_report")
    return str(report(result))


def load_result(path: Path) -> Result:
    """A result that was saved as JSON.

    Raises:
        UsageError: the file cannot be read, or is no result of this schema.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_result(text, str(path))


def parse_result(text: bytes, where: str) -> Result:
    """A result from JSON.

    Args:
        text: what `Result.to_json` made.
        where: it stands, for the message.

    Raises:
        UsageError: it is no result of this schema.
    """
    try:
        return Result.from_json(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} {_fault(error)}; give what ninspect scan --format json wrote") from error


def _fault(error: Exception) -> str:
    """What is wrong first, on one line."""
    if not isinstance(error, ValidationError):
        return "is not JSON"
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if where == "schema":
        return f"is of schema {first['input']!r:.40}, and this ninspect reads {SCHEMA}"
    return f"is not a result ({where:.60}: {first['msg']:.100})" if where else f"is not a result ({first['msg']:.100})"
