"""Tables of image files: CSV with names and labels, as people write it and as GTSRB has it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ninspect.errors import UsageError
from ninspect.files import read_text, reading
from ninspect.samples.images import is_image, read_image
from ninspect.samples.interface import Folder, Reader, Source
from ninspect.samples.labels import ClassMap, label_numbers
from ninspect.samples.limits import check_count

if TYPE_CHECKING:
    from PIL.Image import Image

_NAME_COLUMNS = ("filename", "file_name", "path", "file", "filepath", "image", "image_path", "img")
_LABEL_COLUMNS = ("classid", "label", "labels", "class", "class_id", "target")
_ROI_COLUMNS = ("roi.x1", "roi.y1", "roi.x2", "roi.y2")  # of the traffic sign, in GTSRB
_WANTED = "a CSV file with a header such as path,label"
_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Row:
    name: str
    label: str | None
    roi: tuple[int, int, int, int] | None


def tables_in(folder: Folder) -> list[Path]:
    """The tables of images in a folder: a table beside images, or GTSRB's, one in each class folder.

    Raises:
        UsageError: there are several, and it is not clear which one is meant.
    """
    paths = (folder.path / name for name in folder.files if TABLES.accepts(name))
    tables = [path for path in paths if path.is_file() and _names_images(path)]
    if len(tables) > 1:
        raise UsageError(
            f"{folder.path} holds several tables ({', '.join(path.name for path in tables[:8])}); give one of the files"
        )
    if tables:
        return tables
    inner = [folder.path / name / f"GT-{name}.csv" for name in folder.folders]
    return inner if all(path.is_file() for path in inner) else []


def table_source(root: Path, tables: Sequence[Path], class_map: ClassMap | None) -> Source:
    """The images that tables name, cut to the region of interest where the tables have one.

    The label of an image is the number that the table says, or what the class map says of the name in the table.

    Args:
        root: what the user gave.
        tables: CSV files in it; image files are named relative to the folder of each.
        class_map: see `label_numbers`.

    Raises:
        UsageError: a table is broken, names files outside its folder, or has labels that are no class numbers.
    """
    rows = [(table.parent, row) for table in tables for row in _rows(table)]
    check_count(root, len(rows))
    base = root if root.is_dir() else root.parent
    names = [str((folder / row.name).relative_to(base)) for folder, row in rows]
    labels = [row.label for _, row in rows if row.label is not None]
    with_roi = any(row.roi for _, row in rows)

    def read(index: int) -> Image:
        folder, row = rows[index]
        image = read_image(folder / row.name)
        if row.roi is None:
            return image
        left, top, right, bottom = row.roi
        if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
            raise ValueError(f"its region {row.roi} does not lie in the image of {image.width}×{image.height}")
        return image.crop(row.roi)

    if 0 < len(labels) < len(rows):
        raise UsageError(f"only some of the tables in {root} have labels; give tables that all have them, or none")
    numbers = label_numbers(root, labels, class_map, names) if labels else None
    return Source("gtsrb" if with_roi else "csv", names, numbers, read)


def _names_images(table: Path) -> bool:
    with table.open("rb") as file:
        line = file.readline(4096).decode("utf-8", "replace").lstrip("\ufeff")
    cells = [cell.strip().lower() for cell in line.split(_delimiter(line))]
    return not set(_NAME_COLUMNS).isdisjoint(cells) or is_image(cells[0])


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _rows(table: Path) -> list[_Row]:
    text = read_text(table, _WANTED, _MAX_BYTES)
    lines = text.splitlines()
    with reading(table, "a table"):
        cells = list(csv.reader(lines, delimiter=_delimiter(lines[0] if lines else "")))
    if not cells or not cells[0]:
        raise UsageError(f"{table} starts with no header; give {_WANTED}")
    header = [cell.strip().lower() for cell in cells[0]]
    name = _column(header, _NAME_COLUMNS)
    label = _column(header, _LABEL_COLUMNS)
    roi = [header.index(column) for column in _ROI_COLUMNS] if set(_ROI_COLUMNS) <= set(header) else []
    first = 1
    if name is None and len(header) <= 2 and is_image(header[0]):  # no header: path, or path and label
        name, label, first = 0, 1 if len(header) == 2 else None, 0
    if name is None:
        raise UsageError(f"{table} has no column of file names ({', '.join(header)[:120]}); give {_WANTED}")
    rows = []
    for number, row in enumerate(cells[first:], first + 1):
        if not row:
            continue
        try:
            region = [int(row[column]) for column in roi]
            rows.append(_Row(_inside(row[name]), None if label is None else row[label].strip(), _roi(region)))
        except (ValueError, IndexError) as error:
            raise UsageError(f"line {number} of {table} is not as its header says ({error}); correct it") from error
    if not rows:
        raise UsageError(f"{table} names no images; give {_WANTED}")
    return rows


def _column(header: list[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _roi(values: list[int]) -> tuple[int, int, int, int] | None:
    return (values[0], values[1], values[2], values[3]) if values else None


def _inside(name: str) -> str:
    path = PurePosixPath(name.strip().replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"'{name[:120]}' is not a file in the folder of the table")
    return str(path)


TABLES = Reader(
    accepted="a CSV file",
    endings=(".csv", ".tsv"),
    find=tables_in,
    open=table_source,
    named=True,
    siblings=True,  # the images
)
