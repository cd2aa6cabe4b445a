"""The names of a model's classes: text files, the config.json of Hugging Face and timm, the model's own metadata."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ninspect.errors import UsageError
from ninspect.files import parse_json, read_text

_WANTED = "a text file with a class name on each line, or a JSON file with id2label"
_KEYS = ("id2label", "names", "class_names", "classes", "labels", "label_names")
_MAX_METADATA = 200_000  # characters; Python's parser is slow and deep on more


def class_names(model: Path, file: Path | None = None) -> tuple[str, ...]:
    """The names in a file.

    Args:
        model: path of the ONNX file.
        file: lines, or JSON: a list, an object of numbers and names, or one with such an entry (`id2label`,
            `label_names`). None: `classes.txt`, or `config.json` beside the model; none where neither has names.

    Raises:
        UsageError: the file that is given cannot be read or has no names.
    """
    if file is not None:
        return _names_in(file) or _refused(file)
    lines, config = model.parent / "classes.txt", model.parent / "config.json"
    if lines.is_file():
        return _names_in(lines)
    try:
        return _names_in(config) if config.is_file() else ()
    except UsageError:  # a file of this name may be anything
        return ()


def names_in_metadata(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names that exporters leave in the model, as JSON or, as Ultralytics has it, a Python literal."""
    for key in _KEYS:
        text = metadata.get(key, "")
        if text.lstrip()[:1] in ("{", "[") and len(text) <= _MAX_METADATA:
            for parse in (json.loads, ast.literal_eval):
                try:
                    found = _plain(parse(text))
                except (ValueError, SyntaxError, RecursionError, MemoryError):
                    continue
                if found:
                    return found
    return ()


def _names_in(file: Path) -> tuple[str, ...]:
    text = read_text(file, _WANTED)
    if file.suffix.lower() != ".json" and text.lstrip()[:1] not in ("{", "["):
        return tuple(line.strip() for line in text.splitlines())
    content = parse_json(text, file)
    entries = (content[key] for key in _KEYS if key in content) if isinstance(content, dict) else ()
    return next(filter(None, map(_plain, entries)), ()) or _plain(content)


def _refused(file: Path) -> tuple[str, ...]:
    raise UsageError(f"{file} has no names of classes; give {_WANTED}")


def _plain(content: Any) -> tuple[str, ...]:
    """The names of a list, or of an object whose keys are 0, 1, 2, …; none of anything else."""
    if isinstance(content, dict):
        numbered = {str(key): name for key, name in content.items()}
        content = [numbered.get(str(index)) for index in range(len(numbered))]
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        return ()
    return tuple(name.strip() for name in content)
