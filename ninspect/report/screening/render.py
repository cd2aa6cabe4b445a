"""A screening in each of the formats. Modules are imported when their format is asked for."""

from __future__ import annotations

from importlib import import_module

from ninspect.names import ScreenFormat
from ninspect.report.screening.schema import Screening


def render_screening(screening: Screening, format_: ScreenFormat, width: int | None = None) -> str:
    """The screening in one of `ninspect.names.SCREEN_FORMATS`.

    Args:
        screening: what was found.
        format_: its name.
        width: of text.
    """
    if format_ == "json":
        return screening.to_json()
    if format_ == "text":
        from ninspect.report.screening.text import text_screening

        return text_screening(screening, width)
    return str(getattr(import_module(f"ninspect.report.screening.{format_}"), f"{format_}_screening")(screening))
