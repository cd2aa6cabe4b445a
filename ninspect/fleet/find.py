"""The models among paths and in folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.fleet.identity import is_model
from ninspect.fleet.remote import address_of, models_at


@dataclass(frozen=True)
class Found:
    """Models, and how much was passed over on the way.

    Attributes:
        models: each once, those of a folder in the order of their paths.
        passed_over: how many hidden files and folders, and how many links that lead out.
    """

    models: tuple[Path, ...]
    passed_over: Counter[str]

    def remark(self) -> str:
        """What was passed over, in a sentence; empty where nothing was."""
        counted = [f"{count} {what}" for what, count in sorted(self.passed_over.items()) if count]
        return f"passed over in the folders: {', '.join(counted)}" if counted else ""


def find_models(paths: Sequence[Path]) -> Found:
    """The models that paths stand for: files as they are, of folders every `*.onnx` in them and below.

    Hidden files and folders are passed over, and so are links that lead out of the folder: what lies elsewhere was not
    asked for.

    Raises:
        UsageError: a path does not exist, or there is no model in a folder.
    """
    models: dict[Path, None] = {}
    passed_over = Counter[str]()
    for path in paths:
        address = address_of(path)
        if address is None and not path.exists():
            raise UsageError(f"there is no file {path}; give the path of an .onnx file or of a folder of them")
        if address is None and not path.is_dir():
            models[path] = None
            continue
        inside = list(_below(path, passed_over)) if address is None else models_at(address)
        if not inside:
            raise UsageError(f"there is no .onnx file in {address or path} or below; give the path of a model")
        models |= dict.fromkeys(inside)
    return Found(tuple(models), passed_over)


def has_models(folder: Path) -> bool:
    """Whether there is a model in a folder, or below; also of one that lies elsewhere."""
    if address := address_of(folder):
        return bool(models_at(address))
    return folder.is_dir() and next(_below(folder, Counter()), None) is not None


def _below(folder: Path, passed_over: Counter[str]) -> Iterator[Path]:
    root = folder.resolve()
    for place, folders, files in os.walk(folder):
        hidden = [name for name in folders if name.startswith(".")]
        linked = [name for name in folders if not name.startswith(".") and (Path(place) / name).is_symlink()]
        passed_over.update(hidden=len(hidden), links=len(linked))
        folders[:] = sorted({*folders} - {*hidden, *linked})
        for path in sorted(Path(place) / name for name in files if is_model(Path(name))):
            if path.name.startswith("."):
                passed_over["hidden"] += 1
            elif path.is_symlink() and not path.resolve().is_relative_to(root):
                passed_over["links"] += 1
            else:
                yield path
