"""What a file system says of the content of its files, so that nobody has to fetch one to learn that it is the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

Marks = dict[str, str | None]  # by the name of the file
ABSENT = "absent"
# What object stores, web servers and registries call a value that follows the content, and the time of the last change.
_CONTENT = ("ETag", "etag", "blob_id", "sha", "md5Hash", "Content-MD5")
_TIMES = ("LastModified", "Last-Modified", "last_modified", "mtime")
_SETTLED = 3  # seconds after which a clock that counts whole ones, or that of another machine, tells two changes apart


def mark(info: Mapping[str, Any]) -> str | None:
    """A text that is another one as soon as the content is; None where the file system says nothing of the kind.

    That is a checksum or a strong ETag with the size, else the size with the time of the last change.

    >>> mark({"ETag": '"1f"', "size": 3}), mark({"ETag": 'W/"1f"', "size": 3}), mark({"mtime": 1e9, "size": 3})
    ('ETag "1f" 3', None, 'mtime 1000000000.0 3')
    """
    size = info.get("size")
    for name in _CONTENT:
        if (value := info.get(name)) and not str(value).startswith("W/"):  # a weak one is not of the bytes
            return f"{name} {value} {size}"
    for name in _TIMES:
        seconds = _seconds(info.get(name))
        if size is not None and seconds is not None and seconds < time.time() - _SETTLED:
            return f"{name} {seconds} {size}"
    return None


def marks(files: Any, names: Iterable[str]) -> Marks:
    """The marks of files of a file system of fsspec; `ABSENT` of one that is not there."""
    return {name: _mark_at(files, name) for name in names}


def _mark_at(files: Any, name: str) -> str | None:
    try:
        return mark(files.info(name))
    except FileNotFoundError:
        return ABSENT
    except Exception:  # of many kinds, such as where nobody may ask
        return None


def _seconds(moment: Any) -> float | None:
    try:
        if isinstance(moment, str):
            moment = parsedate_to_datetime(moment)
        return moment.timestamp() if isinstance(moment, datetime) else float(moment)
    except (TypeError, ValueError, OverflowError):
        return None
