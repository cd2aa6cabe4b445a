"""Tables of image files: CSV, JSON lines and lists with labels, as people, GTSRB and Hugging Face write them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.files import read_text, reading
from ninspect.samples.folders import SPLITS, Folder, not_read, split_of, unlabelled
from ninspect.samples.images import is_image, read_image
from ninspect.samples.interface import Reader, Source
from ninspect.samples.labels import Labels
from ninspect.samples.limits import check_count

if TYPE_CHECKING:
    from PIL.Image import Image

# Of several columns the first; letters count, their case and what is between words do not.
_NAME_COLUMNS = (
    *("filename", "path", "filepath", "file", "image", "imagepath", "imagename", "imagefile", "img", "imgpath"),
    *("imageid", "imgname", "id", "name"),
)
_LABEL_COLUMNS = (
    *("classid", "label", "labels", "labelid", "class", "category", "categoryid", "target", "y"),
    *("classname", "classlabel", "labelname", "categoryname", "finelabel", "groundtruth"),
)
_ROI_COLUMNS = ("roix1", "roiy1", "roix2", "roiy2")  # of the traffic sign, in GTSRB
_WANTED = "a CSV file with a header such as path,label, or JSON lines with such keys"
_LISTED = re.compile(r"(.+?)[\s,;]+(\S+)")  # a file and a label in a line of a list
_MAX_BYTES = 256 * 2**20
_START = 65_536  # bytes that tell what a table is


@dataclass(frozen=True)
class _Row:
    name: str
    label: str | None
    roi: tuple[int, int, int, int] | None


def tables_in(folder: Folder) -> list[Path]:
    """The tables of images in a folder: one that names images, or GTSRB's, one in each class folder.

    Of several, the one that belongs to the first part of a data set is meant, and one with labels before one without.
    A table without labels says nothing where there are folders.

    Raises:
        UsageError: there are several, and it is not clear which one is meant.
    """
    paths = (folder.path / name for name in folder.files if TABLES.accepts(name))
    labelled = {path: label for path in paths if path.is_file() and (label := _describes(path)) is not None}
    tables = [path for path, label in labelled.items() if label] or ([] if folder.folders else list(labelled))
    parts = [split for path in tables if (split := split_of(path.name))]
    if len(tables) > 1 and parts:
        first = min(parts, key=SPLITS.index)
        tables = [path for path in tables if split_of(path.name) == first]
    if len(tables) > 1:
        raise UsageError(
            f"{folder.path} holds several tables ({', '.join(path.name for path in tables[:8])}); give one of the files"
        )
    if tables:
        return tables
    inner = [folder.path / name / f"GT-{name}.csv" for name in folder.folders]
    return inner if all(path.is_file() for path in inner) else []


def table_source(root: Path, tables: Sequence[Path]) -> Source:
    """The images that tables name, cut to the region of interest where the tables have one.

    Args:
        root: what the user gave.
        tables: CSV files or JSON lines in it; image files are named relative to the folder of each, or to a folder in
            that one.

    Raises:
        UsageError: a table is broken, or names files outside its folder.
    """
    rows = [(base, row) for table in tables for base, row in _placed(table, root)]
    check_count(root, len(rows))
    base = root if root.is_dir() else root.parent
    names = [str((folder / row.name).relative_to(base)) for folder, row in rows]
    labels = [row.label for _, row in rows if row.label is not None]
    with_roi = any(row.roi for _, row in rows)

    def read(index: int) -> Image:
        folder, row = rows[index]
        image = read_image(folder / row.name, base)
        if row.roi is None:
            return image
        left, top, right, bottom = row.roi
        if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
            raise ValueError(f"its region {row.roi} does not lie in the image of {image.width}×{image.height}")
        return image.crop(row.roi)

    if 0 < len(labels) < len(rows):
        raise UsageError(f"only some of the tables in {root} have labels; give tables that all have them, or none")
    return Source(
        "gtsrb" if with_roi else "csv",
        names,
        Labels.of_texts(labels) if labels else None,
        read,
        notes=[*_unnamed(base, {base / name for name in names}), *([] if labels else unlabelled(_beside(tables[0])))],
    )


def _unnamed(base: Path, named: set[Path]) -> list[str]:
    """The images beside those that are named."""
    folders = sorted({path.parent for path in named})
    listed = (Folder.of(folder, base) for folder in folders if folder.is_dir())
    return not_read(
        (name for folder in listed for name in folder.files if is_image(name) and folder.path / name not in named),
        "not named in the table",
    )


def _placed(table: Path, root: Path) -> Iterable[tuple[Path, _Row]]:
    """The rows, each with the folder that its file is in: that of the table, or one in it where the first file is."""
    rows = _rows(table)
    first, base = rows[0].name, table.parent
    inner = Folder.of(base, root if root.is_dir() else base).folders if not (base / first).is_file() else ()
    folders = [base, *(base / name for name in inner)]
    # Names may lack the ending that all files have.
    endings = ["", *({path.suffix for path in _like(folders, first)} if not is_image(first) else ())]
    found = [(folder, ending) for ending in endings for folder in folders if (folder / f"{first}{ending}").is_file()]
    base, ending = found[0] if found else (base, "")
    return ((base, replace(row, name=row.name + ending)) for row in rows)


def _like(folders: Sequence[Path], name: str) -> Iterator[Path]:
    """Images of this name, with an ending."""
    for folder in folders:
        above = (folder / name).parent
        if above.is_dir():
            yield from (
                path for path in sorted(above.iterdir()) if path.stem == Path(name).name and is_image(path.name)
            )


def _describes(table: Path) -> bool | None:
    """Whether a table has labels of images; None: it names no images."""
    with table.open("rb") as file:
        lines = file.read(_START).decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    line = lines[0] if lines else ""
    if _is_list(table):
        found = _LISTED.fullmatch(line.strip())
        return True if found and is_image(found[1]) else None
    if _json_lines(table):
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            return None
        cells = list(map(str, content)) if isinstance(content, dict) else []
    else:
        cells = line.split(_delimiter(line))
        if is_image(cells[0].strip()):  # no header
            return len(cells) > 1
    header = _header(cells)
    return None if _column(header, _NAME_COLUMNS) is None else _column(header, _LABEL_COLUMNS) is not None


def _json_lines(table: Path) -> bool:
    return table.suffix.lower() == ".jsonl"


def _is_list(table: Path) -> bool:
    return table.suffix.lower() == ".txt"


def _beside(table: Path) -> list[str]:
    """The columns of a CSV file beside that of the names."""
    lines = [] if _json_lines(table) else read_text(table, _WANTED, _MAX_BYTES).splitlines()[:1]
    cells = [cell.strip() for line in lines for cell in line.split(_delimiter(line))]
    name = _column(_header(cells), _NAME_COLUMNS)
    return [] if name is None else [cell for place, cell in enumerate(cells) if place != name]


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _header(cells: Iterable[str]) -> list[str]:
    """Column names that differ in case, spaces, underscores, hyphens and dots alone become the same."""
    return [re.sub(r"[\s_.-]+", "", cell.strip(" \"'").lower()) for cell in cells]


def _rows(table: Path) -> list[_Row]:
    text = read_text(table, _WANTED, _MAX_BYTES)
    lines = text.splitlines()
    rows = (_list_rows if _is_list(table) else _json_rows if _json_lines(table) else _csv_rows)(table, lines)
    if not rows:
        raise UsageError(f"{table} names no images; give {_WANTED}")
    return rows


def _list_rows(table: Path, lines: Sequence[str]) -> list[_Row]:
    rows = []
    for number, line in enumerate(lines, 1):
        found = _LISTED.fullmatch(line.strip())
        try:
            if line.strip() and (found is None or not is_image(found[1])):
                raise ValueError("it is not an image and a label")
            rows += [] if found is None else [_Row(_inside(found[1], table), _label(found[2]), None)]
        except ValueError as error:
            raise UsageError(f"line {number} of {table} is not understood ({error}); give {_WANTED}") from error
    return rows


def _json_rows(table: Path, lines: Sequence[str]) -> list[_Row]:
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            header = _header(content)
            name, label = _column(header, _NAME_COLUMNS), _column(header, _LABEL_COLUMNS)
            values = list(content.values())
            if name is None or not isinstance(values[name], str):
                raise ValueError(f"it names no file, but {', '.join(content)[:120]}")
            rows.append(_Row(_inside(values[name], table), None if label is None else _label(values[label]), None))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"line {number} of {table} is not understood ({error}); give {_WANTED}") from error
    return rows


def _csv_rows(table: Path, lines: Sequence[str]) -> list[_Row]:
    with reading(table, "a table"):
        cells = list(csv.reader(lines, delimiter=_delimiter(lines[0] if lines else "")))
    if not cells or not cells[0]:
        raise UsageError(f"{table} starts with no header; give {_WANTED}")
    header = _header(cells[0])
    name = _column(header, _NAME_COLUMNS)
    label = _column(header, _LABEL_COLUMNS)
    roi = [header.index(column) for column in _ROI_COLUMNS] if set(_ROI_COLUMNS) <= set(header) else []
    first = 1
    if name is None and len(header) <= 2 and is_image(cells[0][0].strip()):  # no header: path, or path and label
        name, label, first = 0, 1 if len(header) == 2 else None, 0
    if name is None:
        shown = ", ".join(cell.strip() for cell in cells[0])[:120]
        raise UsageError(f"{table} has no column of file names ({shown}); give {_WANTED}")
    marked = {} if label is not None or not first else _marked(cells, name)
    rows = []
    for number, row in enumerate(cells[first:], first + 1):
        if not row:
            continue
        try:
            region = [int(row[column]) for column in roi]
            text = marked.get(number) if label is None else _label(row[label])
            rows.append(_Row(_inside(row[name], table), text, _roi(region)))
        except (ValueError, IndexError) as error:
            raise UsageError(f"line {number} of {table} is not as its header says ({error}); correct it") from error
    return rows


def _marked(cells: Sequence[Sequence[str]], name: int) -> dict[int, str]:
    """The label of each line, where every other column is a class, marked with 1 in one column and with 0 in others."""
    labels = {}
    for number, row in enumerate(cells[1:], 2):
        if not row:
            continue
        try:
            marks = [float(cell) for column, cell in enumerate(row) if column != name]
        except ValueError:
            return {}
        if len(row) != len(cells[0]) or len(marks) < 2 or sorted(marks) != [0.0] * (len(marks) - 1) + [1.0]:
            return {}
        place = marks.index(1.0)
        labels[number] = cells[0][place + (place >= name)].strip()
    return labels


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _label(value: object) -> str:
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    if not text:
        raise ValueError("it has no label")
    return text


def _roi(values: list[int]) -> tuple[int, int, int, int] | None:
    return (values[0], values[1], values[2], values[3]) if values else None


def _inside(name: str, table: Path) -> str:
    """The name, relative to the folder of its table."""
    path, folder = PurePosixPath(name.strip().replace("\\", "/")), table.parent.resolve()
    if path.is_relative_to(folder):
        path = path.relative_to(folder)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"'{name[:120]}' is not a file in the folder of the table")
    return str(path)


TABLES = Reader(
    accepted="a CSV, JSONL or text file",
    endings=(".csv", ".tsv", ".jsonl", ".txt"),
    find=tables_in,
    open=table_source,
    siblings=True,  # the images
)
