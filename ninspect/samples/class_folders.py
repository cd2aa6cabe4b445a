"""A folder with a folder of image files for each class, as ImageNet is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ninspect.errors import UsageError
from ninspect.samples.images import is_image, no_images, read_image
from ninspect.samples.interface import Folder, Reader, Source
from ninspect.samples.labels import ClassMap, label_numbers
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


def class_folders_source(root: Path, folders: Sequence[Path], class_map: ClassMap | None) -> Source:
    """The images in class folders. Hidden files and folders do not count.

    The label is what the class map says of the class folder's name; without a map, the position of the name in the
    sorted names. Names that are all integers are labels as they stand, so that a folder with some of the classes keeps
    their numbers.

    Args:
        root: what the user gave.
        folders: in it, sorted by name.
        class_map: see `label_numbers`.

    Raises:
        UsageError: there are no images, or a folder is not in the map.
    """
    import numpy as np

    names: list[str] = []
    labels: list[int] = []
    for name, number in _numbered([folder.name for folder in folders], root, class_map):
        images = list(filter(is_image, Folder.of(root / name).files))
        names += [f"{name}/{image}" for image in images]
        labels += [number] * len(images)
        check_count(root, len(names))
    if not names:
        raise no_images(root)
    return Source("imagefolder", names, np.array(labels, np.int64), lambda index: read_image(root / names[index]))


def _numbered(classes: list[str], root: Path, class_map: ClassMap | None) -> list[tuple[str, int]]:
    if class_map is not None:
        numbers = label_numbers(root, classes, class_map, [f"folder {name}" for name in classes])
        return list(zip(classes, numbers.tolist(), strict=True))
    if all(re.fullmatch("[0-9]{1,9}", name) for name in classes):
        return sorted(((name, int(name)) for name in classes), key=lambda pair: pair[1])
    return [(name, number) for number, name in enumerate(classes)]


CLASS_FOLDERS = Reader(
    accepted="a folder of class folders",
    find=class_folders,
    open=class_folders_source,
    named=True,
)
