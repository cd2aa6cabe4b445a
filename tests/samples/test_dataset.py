from dataclasses import replace
from pathlib import Path

import numpy as np

from ninspect.samples import Samples

PIXELS = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
SAMPLES = Samples(PIXELS, np.array([3, 7]), ("a.png", "b.png"), "images", "imagefolder")


def test_samples_print_themselves_in_a_line() -> None:
    assert repr(SAMPLES) == "Samples(2 images of 2 classes, 4×5×3, imagefolder from 'images')"
    unlabelled = replace(SAMPLES, labels=None, source=str(Path("some") / "x.npy"), kind="npy")
    assert repr(unlabelled).startswith("Samples(2 images without labels, 4×5×3, npy from 'some")


def test_the_hash_is_of_what_was_decoded_and_of_nothing_else() -> None:
    assert SAMPLES.sha256 == "7b0e5c9f31a200450d73e7c7217c511645034c56b38dcc5400718dcf15e24fdd"
    elsewhere = replace(SAMPLES, pixels=np.asfortranarray(PIXELS), names=("c", "d"), source="x.npz", kind="npz")
    assert elsewhere.sha256 == SAMPLES.sha256
    changed = PIXELS.copy()
    changed[1, 0, 0, 0] += 1
    others = [
        replace(SAMPLES, pixels=changed),
        replace(SAMPLES, pixels=PIXELS.reshape(2, 5, 4, 3)),
        replace(SAMPLES, pixels=PIXELS[::-1]),
        replace(SAMPLES, labels=np.array([3, 8])),
        replace(SAMPLES, labels=None),
    ]
    assert len({samples.sha256 for samples in (SAMPLES, *others)}) == 6
