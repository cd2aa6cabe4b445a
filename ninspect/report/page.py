"""HTML pages: one file each, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ninspect.text import printable

_FOLDER = Path(__file__).parent / "templates"


def page(template: str, styles: Sequence[str], functions: Sequence[Callable[..., Any]] = (), **values: Any) -> str:
    """A page with its styles in it, which a policy allows and nothing else.

    Every value is escaped, and what could steer or mislead in it made visible.

    Args:
        template: name of a file in the folder of templates.
        styles: names of style sheets there.
        functions: that the template calls, by their names.
        values: that the template shows.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals |= {function.__name__: function for function in functions}
    style = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template(template).render(style=style, policy=policy, **values)


def _visible(value: Any) -> Any:
    return printable(value) if type(value) is str else value
