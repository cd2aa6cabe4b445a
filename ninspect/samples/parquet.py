"""Parquet files as Hugging Face's datasets are stored in: a column of encoded images, and one of labels.

Only data is read. What else lies in a data set's folder, such as a loader script, is never looked at.
"""

from __future__ import annotations

import io
import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninspect.errors import UsageError
from ninspect.files import reading
from ninspect.samples.folders import SPLITS, Folder, split_of, unlabelled
from ninspect.samples.images import read_image
from ninspect.samples.interface import Reader, Source
from ninspect.samples.labels import Labels
from ninspect.samples.limits import check_count

if TYPE_CHECKING:
    from PIL.Image import Image

_IMAGE_COLUMNS = ("image", "img", "images", "pixel_values")
_LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "classid")
_MAX_GROUP = 2 * 2**30  # bytes of one column in one row group
_MAX_TEXT = 1024  # characters of a label


def parquet_files(folder: Folder) -> list[Path]:
    """The parquet files in a folder or in its folder `data`, those of one split: the test set if there is one."""
    found = _all_parquet(folder)
    if not found and "data" in folder.folders:
        found = _all_parquet(Folder.of(folder.path / "data"))
    split = min((split for path in found if (split := split_of(path.name))), key=SPLITS.index, default=None)
    return [path for path in found if split_of(path.name) == split and path.is_file()]


def _all_parquet(folder: Folder) -> list[Path]:
    return [folder.path / name for name in folder.files if PARQUET.accepts(name)]


def parquet_source(root: Path, files: Sequence[Path]) -> Source:
    """The images in parquet files.

    The image column holds encoded files, as bytes or as a struct with `bytes` (and `path`, which is not followed). The
    label column holds whole numbers, for which Hugging Face's metadata may have names, or names.

    Args:
        root: what the user gave.
        files: in it, with the same columns.

    Raises:
        UsageError: pyarrow is not installed, or a file is broken or has no such columns.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("reading parquet needs pyarrow; install it with pip install pyarrow") from error
    with reading(root, "a parquet file"):
        tables = [parquet.ParquetFile(path) for path in files]
        starts: list[int] = []  # of row groups
        groups: list[tuple[Any, int]] = []
        count = 0
        for table in tables:
            for group in range(table.num_row_groups):
                starts.append(count)
                groups.append((table, group))
                count += table.metadata.row_group(group).num_rows
        check_count(root, count)
        image, label = _columns(root, tables[0].schema_arrow)
        labels = None if label is None else _labels(tables, label)

    @lru_cache(maxsize=1)  # images are read in order, so one row group is enough
    def column(index: int) -> Any:
        table, group = groups[index]
        _check_size(table, group, image)
        return table.read_row_group(group, columns=[image]).column(0)

    def read(index: int) -> Image:
        group = bisect_right(starts, index) - 1
        value = column(group)[index - starts[group]].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not content:
            raise ValueError("the file holds no bytes of this image")
        return read_image(io.BytesIO(content))

    others = [name for name in tables[0].schema_arrow.names if name != image] if label is None else []
    names = [f"{root.name}[{index}]" for index in range(count)]
    return Source("parquet", names, labels, read, notes=unlabelled(others))


def _columns(root: Path, schema: Any) -> tuple[str, str | None]:
    """The names of the image column and of the label column, if there is one."""
    import pyarrow as pa

    images = [field.name for field in schema if _holds_images(field.type, pa)]
    if not images:
        raise UsageError(f"{root} has no column of encoded images, but {', '.join(schema.names)[:200]}; give another")
    image = next((name for name in _IMAGE_COLUMNS if name in images), images[0])
    lower = {name.lower(): name for name in schema.names}
    return image, next((lower[name] for name in _LABEL_COLUMNS if name in lower), None)


def _holds_images(kind: Any, pa: Any) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_binary(field.type, pa) for field in kind)
    return _is_binary(kind, pa)


def _is_binary(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _check_size(table: Any, group: int, column: str) -> None:
    """Refuse what would fill the memory; columns of structs are stored as several."""
    metadata = table.metadata.row_group(group)
    chunks = [metadata.column(index) for index in range(metadata.num_columns)]
    size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] == column)
    if size > _MAX_GROUP:
        raise UsageError(f"column '{column}' has {size} bytes in one row group; write at most {_MAX_GROUP >> 30} GiB")


def _labels(tables: Sequence[Any], column: str) -> Labels:
    values: list[str] = []
    for table in tables:
        for group in range(table.num_row_groups):
            _check_size(table, group, column)
            values += [_text(value) for value in table.read_row_group(group, columns=[column]).column(0).to_pylist()]
    if "" in values:
        raise UsageError(f"column '{column}' has no label in row {values.index('')}; remove the row, or give it one")
    labels, known = Labels.of_texts(values), _names(tables[0].schema_arrow, column)
    numbers = [int(name) if name.isdecimal() else -1 for name in labels.names]
    if not known or not all(0 <= number < len(known) for number in numbers):
        return labels
    return Labels(labels.index, [known[number] for number in numbers], numbers)


def _text(value: Any) -> str:
    """A label as it would be written; empty where there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return ""
    return str(value)[:_MAX_TEXT] if isinstance(value, (int, str)) else f"of type {type(value).__name__}"


def _names(schema: Any, column: str) -> list[str]:
    """The class names that Hugging Face's datasets keeps in the schema; empty where there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


PARQUET = Reader(
    accepted="a parquet file",
    endings=(".parquet",),
    starts=(b"PAR1",),
    find=parquet_files,
    open=parquet_source,
)
