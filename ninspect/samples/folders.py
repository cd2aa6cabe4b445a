"""Folders: what is in them, which part of a data set they are, and what of them is not read."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ninspect.files import reading
from ninspect.samples.limits import check_count

_TABLES = (".csv", ".tsv", ".jsonl")
# Parts of data sets, the first that there is; never classes.
SPLITS = ("test", "testing", "holdout", "val", "validation", "valid", "eval", "dev", "train", "training")
_PART = re.compile(r"[\s_.-]*(set|data|images|split)$")  # as in `test_set`
_MAX_DEPTH = 8  # of folders within that of a class


@dataclass(frozen=True)
class Folder:
    """What is in a folder; hidden files and folders do not count.

    Attributes:
        path: of the folder.
        files: names of the files in it, sorted.
        folders: likewise. Names only, no `Path`: ImageNet has a million of them.
        root: what was given; it holds the folder.
        outside: names of links that lead out of it. Nobody asked for what is there.
    """

    path: Path
    files: Sequence[str]
    folders: Sequence[str]
    root: Path
    outside: Sequence[str] = ()

    @classmethod
    def of(cls, path: Path, root: Path | None = None) -> Folder:
        """Lists a folder, of `root` where that is another.

        Raises:
            UsageError: it cannot be listed, or holds more than `MAX_IMAGES` files.
        """
        root = root or path
        files: list[str] = []
        folders: list[str] = []
        outside: list[str] = []
        with reading(path, "a folder"), os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name != "__MACOSX":
                    if entry.is_symlink() and not within(Path(entry.path), root):
                        outside.append(entry.name)
                    else:
                        (folders if entry.is_dir() else files).append(entry.name)
                    check_count(path, len(files))
        return cls(path, sorted(files), sorted(folders), root, sorted(outside))

    def inner(self, name: str) -> Folder:
        """A folder in this one."""
        return Folder.of(self.path / name, self.root)

    @property
    def splits(self) -> list[str]:
        """The folders in it that are parts of a data set, the one to use first."""
        known = {_PART.sub("", name.lower()): name for name in self.folders}
        found = [split for split in SPLITS if split in known]
        return [] if found == ["valid"] else [known[split] for split in found]  # beside `invalid`, say, it is a class


def within(path: Path, root: Path) -> bool:
    """Whether a path, with all links followed, lies in a folder."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a link to itself
        return False


def split_of(name: str) -> str | None:
    """The part of a data set that a file holds, by how its name begins, such as `test-00000-of-00001.parquet`."""
    return next((split for split in SPLITS if name.lower().startswith(split)), None)


def files_below(folder: Folder, wanted: Callable[[str], bool]) -> tuple[list[str], list[str], list[str]]:
    """Files in a folder and the folders in it, by their paths: the wanted ones, the others, and links that lead out.

    Raises:
        UsageError: it cannot be listed, or holds too many.
    """
    found: list[str] = []
    others: list[str] = []
    outside: list[str] = []
    waiting = [(folder, "", 0)]
    while waiting:
        here, prefix, depth = waiting.pop()
        for name in here.files:
            (found if wanted(name) else others).append(prefix + name)
        outside += here.outside
        check_count(folder.path, len(found))
        if depth < _MAX_DEPTH:
            # A link to a folder may lead back to where it is.
            inner = [name for name in here.folders if not (here.path / name).is_symlink()]
            waiting += [(here.inner(name), f"{prefix}{name}/", depth + 1) for name in reversed(inner)]
        else:
            others += [f"{prefix}{name}" for name in here.folders]
    return found, others, outside


def left_out(others: Iterable[str], outside: Iterable[str]) -> list[str]:
    """What of a folder is not read, as notes."""
    return not_read(others) + not_read(outside, "left out, as links lead out of the folder")


def unlabelled(columns: Sequence[str]) -> list[str]:
    """That columns, or arrays, beside the images are not known to be labels, as a note; none where there are none."""
    shown = ", ".join(columns[:6])
    return (
        [f"no labels were read, as {shown} is no name that labels are known to have; call them label"] if shown else []
    )


def not_read(names: Iterable[str], what: str = "not understood") -> list[str]:
    """How many files of which kind were left out, as a note; none where there are none.

    >>> not_read(["a.heic", "b.heic", "README"])
    ['3 files were not understood: 2 .heic, 1 without an ending']
    """
    names = list(names)
    kinds = Counter(Path(name).suffix.lower()[:12] or "without an ending" for name in names)
    if not (count := kinds.total()):
        return []
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(6))
    verb = "file was" if count == 1 else "files were"
    more = ", …" if len(kinds) > 6 else ""
    return [f"{count} {verb} {what}: {listed}{more}{_tables(names)}"]


def _tables(names: Sequence[str]) -> str:
    """Which of the files are tables, and what they lack."""
    tables = [Path(name).name for name in names if Path(name).suffix.lower() in _TABLES]
    return f" ({', '.join(tables[:3])}: a table of labels needs a header such as path,label)" if tables else ""
