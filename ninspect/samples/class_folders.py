"""A folder with a folder of image files for each class, as ImageNet is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.samples.folders import Folder, files_below, left_out
from ninspect.samples.images import is_image, no_images, read_image
from ninspect.samples.interface import Reader, Source
from ninspect.samples.labels import Labels
from ninspect.samples.limits import check_count


def class_folders(folder: Folder) -> list[Path]:
    """The folders in a folder.

    Raises:
        UsageError: there are images beside them.
    """
    if folder.folders and any(map(is_image, folder.files)):
        raise UsageError(
            f"{folder.path} holds both images and sub-folders, so it is unclear whether it has classes; "
            "give a folder with only images, or only one sub-folder per class"
        )
    return [folder.path / name for name in folder.folders]


def class_folders_source(root: Path, folders: Sequence[Path]) -> Source:
    """The images in class folders and in the folders within them. Hidden files and folders do not count.

    A folder that holds other files alone is no class; an empty one is.

    Args:
        root: what the user gave.
        folders: in it, sorted by name.

    Raises:
        UsageError: there are no images.
    """
    import numpy as np

    names: list[str] = []
    classes: list[str] = []
    index: list[int] = []
    above = Folder.of(folders[0].parent, root)
    others, outside = list(above.files), list(above.outside)
    if all(folder.name.isdecimal() for folder in folders):
        folders = sorted(folders, key=lambda folder: int(folder.name[:9]))
    for folder in folders:
        images, rest, links = files_below(Folder.of(folder, root), is_image)
        others += rest
        outside += links
        if images or not rest:
            names += [str((folder / image).relative_to(root)) for image in images]
            index += [len(classes)] * len(images)
            classes.append(folder.name)
        check_count(root, len(names))
    if not names:
        raise no_images(root, left_out(others, outside))
    labels = Labels(np.array(index, np.intp), classes)
    notes = left_out(others, outside)
    return Source("imagefolder", names, labels, lambda at: read_image(root / names[at], root), notes=notes)


CLASS_FOLDERS = Reader(accepted="a folder of class folders", find=class_folders, open=class_folders_source)
