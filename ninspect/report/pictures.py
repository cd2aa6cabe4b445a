"""The pictures of a result as files."""

from __future__ import annotations

import base64
from pathlib import Path

from ninspect.files import unwritable, write_file
from ninspect.report.schema import Result


def picture_files(result: Result) -> dict[str, bytes]:
    """File names, made of class numbers alone, and the PNGs."""
    pictures: dict[str, str] = {}
    for trigger in result.triggers:
        name = f"class-{trigger.label}" if trigger.source is None else f"class-{trigger.source}-to-{trigger.label}"
        pictures |= {f"{name}-mask.png": trigger.mask, f"{name}-trigger.png": trigger.pattern}
        for number, example in enumerate(trigger.examples, 1):
            pictures[f"{name}-example-{number}-before.png"] = example.before
            pictures[f"{name}-example-{number}-after.png"] = example.after
    if result.attention is not None:
        pictures["image.png"] = result.attention.image
        pictures |= {f"class-{heatmap.label}-heatmap.png": heatmap.picture for heatmap in result.attention.heatmaps}
    return {name: base64.b64decode(picture) for name, picture in pictures.items()}


def save_pictures(result: Result, folder: Path) -> None:
    """Write the pictures of a result into a folder, which is made where it is missing.

    Raises:
        UsageError: there cannot be such a folder.
        WriteError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    for name, data in picture_files(result).items():
        write_file(folder / name, data)
