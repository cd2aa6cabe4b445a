"""The names of a model's classes: text files, the config.json of Hugging Face and timm, the model's own metadata."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ninspect.errors import UsageError
from ninspect.files import beside, parse_json, read_text
from ninspect.names import WITH_BACKGROUND

_WANTED = "a text file with a class name on each line, or a JSON file with id2label"
_KEYS = ("id2label", "names", "class_names", "classes", "labels", "label_names")
_NUMBERED = re.compile(r"([0-9]{1,9})(?:[\s,;:.)=-]+)(.*\S)")
_MAX_METADATA = 200_000  # characters; Python's parser is slow and deep on more


def class_names(model: Path, file: Path | None = None) -> tuple[str, ...]:
    """The names in a file.

    Args:
        model: path of the ONNX file.
        file: lines, in the order of the classes or each with its number first; or JSON: a list, an object of numbers
            and names, or one with such an entry (`id2label`, `label_names`). None: `classes.txt`, or `config.json`
            beside the model or, as Hugging Face has it, above its folder `onnx`; none where neither has names.

    Raises:
        UsageError: the file that is given cannot be read or has no names.
    """
    if file is not None:
        return _names_in(file) or _refused(file)
    if (lines := beside(model, "classes.txt")) is not None:
        return _names_in(lines)
    config = beside(model, "config.json")
    try:
        return () if config is None else _names_in(config)
    except UsageError:  # a file of this name may be anything
        return ()


def with_background(names: tuple[str, ...], classes: int) -> tuple[str, ...]:
    """The names of ImageNet's 1000 classes for a model of TensorFlow, whose class 0 is none of them.

    >>> with_background(("tench",) * 1000, 1001)[:2]
    ('background', 'tench')
    """
    return ("background", *names) if (len(names), classes) == (1000, WITH_BACKGROUND) else names


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
        return _ordered([line.strip() for line in text.splitlines()])
    content = parse_json(text, file)
    entries = (content[key] for key in _KEYS if key in content) if isinstance(content, dict) else ()
    return next(filter(None, map(_plain, entries)), ()) or _plain(content)


def _refused(file: Path) -> tuple[str, ...]:
    raise UsageError(f"{file} has no names of classes; give {_WANTED}")


def _ordered(lines: list[str]) -> tuple[str, ...]:
    """The names in the order of the numbers before them, if they have all numbers from 0 or from 1."""
    numbered = [_NUMBERED.match(line) for line in lines]
    pairs = sorted((int(found[1]), found[2]) for found in numbered if found)
    first = pairs[0][0] if pairs else None
    if first in (0, 1) and [number for number, _ in pairs] == list(range(first, first + len(lines))):
        return tuple(name for _, name in pairs)
    return tuple(lines)


def _plain(content: Any) -> tuple[str, ...]:
    """The names of a list, or of an object whose keys are 0, 1, 2, …; none of anything else."""
    if isinstance(content, dict):
        numbered = {str(key): name for key, name in content.items()}
        content = [numbered.get(str(index)) for index in range(len(numbered))]
    if isinstance(content, list):  # Keras's class index of ImageNet has the number in WordNet and the name
        content = [" ".join(entry) if _is_pair(entry) else entry for entry in content]
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        return ()
    return tuple(name.strip() for name in content)


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
