import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ninspect.report.picture import save_overlay
from tests.support import Array, random_pixels


def overlay(image: NDArray[np.float32], heatmap: NDArray[np.float32]) -> io.BytesIO:
    stream = io.BytesIO()
    save_overlay(stream, image, heatmap)
    return stream


def spot(height: int, width: int) -> Array:
    heatmap = np.zeros((height, width), np.float32)
    heatmap[2, 5] = 1
    return heatmap


@pytest.mark.parametrize(
    ("shape", "scale"), [((28, 28, 1), 8), ((32, 32, 3), 7), ((10, 20, 3), 23), ((224, 224, 3), 1), ((300, 400, 1), 1)]
)
def test_the_picture_shows_the_image_beside_its_heatmap(shape: tuple[int, int, int], scale: int) -> None:
    height, width, _ = shape
    image = random_pixels(1, shape)[0]
    with Image.open(overlay(image, spot(height, width))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.size == (2 * width * scale, height * scale)
        pixels = np.asarray(picture)[scale // 2 :: scale, scale // 2 :: scale].astype(int)
    left, right = pixels[:, :width], pixels[:, width:]
    assert np.abs(left - np.rint(image * 255)).max() == 0
    assert right[2, 5].tolist() == [255, 255, 255]
    assert (right.sum(axis=-1) == 3 * 255).sum() == 1
    dimmed = np.delete(right.reshape(-1, 3), 2 * width + 5, axis=0)
    assert dimmed.max() <= 0.35 * 255 + 1


def test_brightness_grows_with_the_heat() -> None:
    ramp = np.tile(np.linspace(0, 1, 224, dtype=np.float32), (224, 1))
    with Image.open(overlay(np.zeros((224, 224, 1), np.float32), ramp)) as picture:
        grey = np.asarray(picture.convert("L"), int)[0, 224:]
    assert (np.diff(grey) >= 0).all()
    assert (grey[0], grey[-1]) == (0, 255)
