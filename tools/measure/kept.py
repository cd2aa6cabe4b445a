"""Rows of a dataclass, kept in a CSV file from one run of a program to the next."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


def read_kept(path: Path, kind: type[Row]) -> list[Row]:
    """What `write_kept` wrote, where an empty field has the default of its kind; none where there is no file."""
    from pydantic import TypeAdapter

    if not path.exists():
        return []
    with path.open(newline="") as stream:
        lines = [{name: value for name, value in line.items() if value} for line in csv.DictReader(stream)]
    return TypeAdapter(list[kind]).validate_python(lines)  # type: ignore[valid-type]


def write_kept(path: Path, kind: Any, rows: Iterable[Any]) -> None:
    """One line a row, with a head."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(kind)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
