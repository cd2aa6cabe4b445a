"""The pictures and the triggers of a result as files."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from ninspect.files import make_folder, write_file
from ninspect.report.pictured import TriggerInfo
from ninspect.report.schema import Result


def picture_files(result: Result) -> dict[str, bytes]:
    """File names, made of class numbers alone, and the PNGs."""
    pictures: dict[str, str] = {}
    for name, trigger in named_triggers(result).items():
        pictures |= {f"{name}-mask.png": trigger.mask, f"{name}-trigger.png": trigger.pattern}
        for number, example in enumerate(trigger.examples, 1):
            pictures[f"{name}-example-{number}-before.png"] = example.before
            pictures[f"{name}-example-{number}-after.png"] = example.after
    if result.attention is not None:
        pictures["image.png"] = result.attention.image
        pictures |= {f"class-{heatmap.label}-heatmap.png": heatmap.picture for heatmap in result.attention.heatmaps}
    return {name: base64.b64decode(picture) for name, picture in pictures.items()}


def named_triggers(result: Result) -> dict[str, TriggerInfo]:
    """Every trigger by the beginning of its files' names: `class-5`, `class-5-stamp` or `class-2-to-8`."""
    targets: dict[str, TriggerInfo] = {f"class-{trigger.label}": trigger for trigger in result.triggers}
    targets |= {f"class-{stamp.label}-stamp": stamp for stamp in result.stamps}
    return targets | {f"class-{pair.source}-to-{pair.label}": pair for pair in result.pairs}


def save_pictures(result: Result, folder: Path) -> None:
    """Write the pictures of a result into a folder, which is made where it is missing.

    Raises:
        UsageError: there cannot be such a folder.
        WriteError: the folder cannot be made or written.
    """
    _save(picture_files(result), folder)


def save_triggers(result: Result, folder: Path) -> None:
    """Write the exact triggers into a folder, as `class-5.npz` with the arrays `mask` and `pattern`.

    `ninspect.Patch.from_npz` reads them again and puts them on images.

    Raises:
        UsageError: there cannot be such a folder.
        WriteError: the folder cannot be made or written.
    """
    files = named_triggers(result).items()
    _save({f"{name}.npz": base64.b64decode(trigger.npz) for name, trigger in files}, folder)


def _save(files: Mapping[str, bytes], folder: Path) -> None:
    make_folder(folder)
    for name, data in files.items():
        write_file(folder / name, data)
