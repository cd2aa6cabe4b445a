"""Keyword options, by the names of the fields or of the command line, all on one level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, get_args, get_origin

from ninspect.errors import UsageError
from ninspect.names import PRESETS
from ninspect.option import options
from ninspect.requests import PreprocessOptions, ScanRequest


def scan_request(model: object, samples: object = None, options: Mapping[str, Any] | None = None) -> ScanRequest:
    """A request to scan, of paths and of options such as `max_images`, `method` or `mean`.

    Raises:
        UsageError: an option is unknown, given twice, or wrong; or a path is none.

    >>> request = scan_request("m.onnx", "images", {"preset": "imagenet", "max_images": 50, "method": "mmbd"})
    >>> request.preprocess.preset, request.images, request.methods
    ('imagenet', 50, ('mmbd',))
    """
    given = dict(options or {})
    values: dict[str, Any] = {}
    inner: dict[str, Any] = _preprocessing(given.pop("preprocess", None))
    for name, value in given.items():
        if name not in _PLACES:
            raise UsageError(f"scan has no option '{name}'; there are {', '.join(sorted(_PLACES))}")
        into, field, several = _PLACES[name]
        target = inner if into == "preprocess" else values
        if field in target:
            raise UsageError(f"{field} was given twice; leave one out")
        plain = value.tolist() if hasattr(value, "tolist") else value
        if field == "feed" and isinstance(plain, Mapping):  # as on the command line
            plain = tuple(f"{each}={','.join(map(str, _numbers(given)))}" for each, given in plain.items())
        target[field] = (plain,) if several and isinstance(plain, str | PathLike) else plain
    preprocess = PreprocessOptions(**inner)
    images = None if samples is None else path_of(samples, "samples")
    return ScanRequest(path_of(model, "the model"), images, preprocess=preprocess, **values).checked()


def _numbers(given: Any) -> list[Any]:
    """One number, or the numbers of a list or an array, flat."""
    import numpy as np

    return list(np.ravel(given).tolist())


def path_of(given: object, what: str) -> Path:
    """A path that was given as one.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(given, str | PathLike):
        return Path(given)
    raise UsageError(f"{what} must be a path here, and is of type {type(given).__name__}; give the path of a file")


def _preprocessing(given: object) -> dict[str, Any]:
    """Fields of `PreprocessOptions`: from an object with these fields, a mapping, the name of a preset, or a path."""
    if given is None:
        return {}
    if isinstance(given, str) and given in PRESETS:
        return {"preset": given}
    if isinstance(given, str | PathLike):
        return {"file": Path(given)}
    known = {each.name for each in fields(PreprocessOptions)}
    if isinstance(given, Mapping) and given.keys() <= known:
        return dict(given)
    inside = getattr(given, "__dict__", {})
    if inside and inside.keys() <= known:  # PreprocessOptions, or a Preprocess
        return {name: value for name, value in inside.items() if value is not None}
    raise UsageError(
        f"preprocess is of type {type(given).__name__}; give a preset ({', '.join(PRESETS)}), the path of a file, or "
        "PreprocessOptions"
    )


def _places(kind: type, into: str = "") -> dict[str, tuple[str, str, bool]]:
    """Every name of an option: the group that it is in, its field, and whether it takes several values."""
    places: dict[str, tuple[str, str, bool]] = {}
    for each, hint, option in options(kind):
        if option is None:
            places |= _places(hint, each.name)
            continue
        several = get_origin(hint) is tuple and Ellipsis in get_args(hint)
        flags = [flag[2:].replace("-", "_") for flag in option.flags if flag.startswith("--")]
        places |= dict.fromkeys((each.name, *flags), (into, each.name, several))
    return {name: place for name, place in places.items() if place[1] not in ("model", "samples")}


_PLACES = _places(ScanRequest)
