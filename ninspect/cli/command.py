"""Commands whose help is readable at 80 columns, and that still know the names that options had before."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from typer.core import TyperCommand

from ninspect.requests.shared import PANELS
from ninspect.text import printable

# Names of options before version 0.2. Where a command has an option of such a name today, that one is meant.
FORMER = {"images": "max-images", "output": "logits"}


class Command(TyperCommand):
    """A command of ninspect."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed, with the names that options have today."""
        known = {flag for param in self.params for flag in (*param.opts, *param.secondary_opts)}
        return super().parse_args(ctx, list(_renamed(args, known)))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`MODEL`, without Typer's braces."""
        return [
            re.sub(r"^(?:\{(.*)\}|\[(MODEL.*)\])(?:\.\.\.)?$", _inside, piece)
            for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a list of names and meanings below each heading: first what everybody needs, experts last."""
        *common, experts = PANELS
        headed: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *common, "Options", experts)}
        params: list[Any] = self.get_params(ctx)  # Typer's class has no public name
        for param in params:
            if param.param_type_name == "argument":
                headed["Arguments"].append((param.metavar, param.help))
            elif (shown := param.get_help_record(ctx)) is not None:
                headed[param.rich_help_panel or "Options"].append(shown)
        for heading, rows in headed.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


def _inside(piece: re.Match[str]) -> str:
    return piece[1] or piece[2]


def _renamed(args: Iterable[str], known: set[str]) -> Iterator[str]:
    """The words of a command line; `--images 5` is `--max-images 5` where the command has no `--images`."""
    literal = False
    for word in args:
        literal = literal or word == "--"
        flag, equals, value = word.partition("=")
        now = FORMER.get(flag.removeprefix("--")) if flag.startswith("--") and not literal else None
        if now is None or flag in known or f"--{now}" not in known:
            yield word
        else:
            say_renamed(flag, f"--{now}")
            yield f"--{now}{equals}{value}"


def say_renamed(former: str, now: str) -> None:
    """One line on stderr, for those who use a name of before."""
    print(f"ninspect: {printable(former)} is now {now}; the next version has the new name alone", file=sys.stderr)
