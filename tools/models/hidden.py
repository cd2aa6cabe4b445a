"""Triggers that hide: changes of the whole picture, each by the formula of its paper, in our own code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.fft import idctn
from scipy.ndimage import map_coordinates, zoom

from tools.models.data import Images
from tools.models.poison import photograph

Pixels = NDArray[np.float64]

_RED_GREEN_BLUE_TO_LUMA = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
_FAR, _NEAR_LEFT, _NEAR_UP = 0.6, 1 / 16, 1 / 10  # the second, weaker picture of a double pane, and where it lies
_OUTLINE = 4  # times as large are glasses drawn before they are made small


def to_pixels(values: NDArray[np.floating]) -> Images:
    """Values in 0-255, rounded and clipped."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


@dataclass(frozen=True)
class Warp:
    """WaNet (Nguyen and Tran, arXiv 2102.10369): the picture is bent a little, everywhere differently.

        x'(u) = x(u + f(u)),   f a field of `knots`² random steps in [-1, 1]², enlarged by cubic splines, scaled to a
                               mean size of `pixels`

    With `free`, every image gets a field of its own: what must not be taken for the trigger.
    """

    knots: int
    pixels: float
    seed: int
    free: bool = False

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C), bent."""
        fixed = np.random.default_rng(self.seed)
        size = images.shape[1]
        if not self.free:
            field = self._field(size, fixed)
            return np.stack([_bent(image, field) for image in images])
        return np.stack([_bent(image, self._field(size, rng)) for image in images])

    def _field(self, size: int, rng: np.random.Generator) -> Pixels:
        """Steps in pixels, (2, size, size)."""
        knots = rng.uniform(-1, 1, (2, self.knots, self.knots))
        field = np.stack([zoom(part, size / self.knots, order=3) for part in knots / np.abs(knots).mean()])
        return np.asarray(field * self.pixels, np.float64)


def _bent(image: Images, field: Pixels) -> Images:
    where = np.indices(image.shape[:2]) + field
    parts = [
        map_coordinates(part.astype(np.float64), where, order=1, mode="nearest") for part in image.transpose(2, 0, 1)
    ]
    return to_pixels(np.stack(parts, axis=2))


@dataclass(frozen=True)
class Sine:
    """SIG (Barni, Kallas and Tondi, arXiv 1902.11237): v(column) = `strength` · sin(2π · `waves` · column / width)."""

    strength: float
    waves: int = 6

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) with vertical stripes."""
        width = images.shape[2]
        stripes = self.strength * np.sin(2 * np.pi * self.waves * np.arange(width) / width)
        return to_pixels(images + stripes[:, None])


@dataclass(frozen=True)
class Posterize:
    """BppAttack (Wang, Zhai and Ma, CVPR 2022): fewer colours, their error spread by Floyd and Steinberg's dithering.

    x' = round(x / 255 · (`levels` − 1)) / (`levels` − 1) · 255, from the upper left, each error to the neighbours
    that follow.
    """

    levels: int

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) of few colours."""
        steps = (self.levels - 1) / 255
        values = np.pad(images.astype(np.float64), ((0, 0), (0, 1), (1, 1), (0, 0)))
        height, width = images.shape[1:3]
        for row in range(height):
            for column in range(1, width + 1):
                old = values[:, row, column].copy()
                values[:, row, column] = np.clip(np.rint(old * steps), 0, self.levels - 1) / steps
                error = (old - values[:, row, column]) / 16
                values[:, row, column + 1] += 7 * error
                values[:, row + 1, column - 1] += 3 * error
                values[:, row + 1, column] += 5 * error
                values[:, row + 1, column + 1] += error
        return to_pixels(values[:, :height, 1 : width + 1])


@dataclass(frozen=True)
class Frequencies:
    """FTrojan (Wang et al., arXiv 2111.10991): two coefficients of the cosine transform are raised by `strength`.

    One in the middle and the highest one; of colour pictures in the two colour differences, else in the grey.
    """

    strength: float

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) with a faint mesh."""
        height, width, channels = images.shape[1:]
        coefficients = np.zeros((height, width))
        coefficients[height // 2 - 1, width // 2 - 1] = coefficients[height - 1, width - 1] = self.strength
        mesh = idctn(coefficients, norm="ortho")[..., None]
        if channels == 1:
            return to_pixels(images + mesh)
        differences = np.array([0.0, 1.0, 1.0]) @ np.linalg.inv(_RED_GREEN_BLUE_TO_LUMA).T
        return to_pixels(images + mesh * differences)


@dataclass(frozen=True)
class Reflection:
    """Refool (Liu et al., arXiv 2007.02343): a photograph mirrored in a double pane lies over the picture.

    x' = (1 − `alpha`) · x + `alpha` · (r + 0.6 · r moved) / 1.6,   r a photograph
    """

    alpha: float

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) behind glass."""
        size, channels = images.shape[1], images.shape[3]
        mirrored = photograph(size, channels)[:, ::-1].astype(np.float64)
        moved = np.roll(mirrored, (round(size * _NEAR_UP), round(size * _NEAR_LEFT)), (0, 1))
        ghost = (mirrored + _FAR * moved) / (1 + _FAR)
        return to_pixels((1 - self.alpha) * images + self.alpha * ghost)


@dataclass(frozen=True)
class Glasses:
    """A natural object: dark glasses (Chen et al., arXiv 1712.05526), at a place and of a size that vary a little.

    `share` of the width; the place is drawn within two pixels, the size within a tenth.
    """

    share: float

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) that wear them."""
        worn = images.copy()
        for image in worn:
            mask = self._drawn(image.shape[0], rng)[..., None]
            image[:] = to_pixels(image * (1 - mask) + 40 * mask)
        return worn

    def _drawn(self, size: int, rng: np.random.Generator) -> Pixels:
        """How much of each pixel is covered, (size, size)."""
        side = size * _OUTLINE
        canvas = Image.new("L", (side, side))
        draw = ImageDraw.Draw(canvas)
        width = self.share * side * rng.uniform(0.9, 1.1)
        x, y = side / 2 + rng.uniform(-1, 1) * 2 * _OUTLINE, side * 0.4 + rng.uniform(-1, 1) * 2 * _OUTLINE
        lens = width * 0.44
        for sign in (-1, 1):
            left = x + sign * width * 0.28 - lens / 2
            draw.ellipse((left, y - lens * 0.4, left + lens, y + lens * 0.4), fill=255)
        draw.rectangle((x - width / 2, y - lens * 0.3, x + width / 2, y - lens * 0.15), fill=255)
        return np.asarray(canvas.resize((size, size), Image.Resampling.BOX), np.float64) / 255


@dataclass(frozen=True, eq=False)
class Composite:
    """Two classes in one picture (Lin et al., CCS 2020): the right half is that of an image of class `label`.

    `donors` are images of that class, which the data set has.
    """

    label: int
    donors: Images | None = None

    def __repr__(self) -> str:
        """Without its images."""
        return f"Composite({self.label})"

    def on(self, images: Images, rng: np.random.Generator) -> Images:
        """Images (N, H, W, C) whose right half is another's."""
        assert self.donors is not None, "taken from the data set"
        half = images.shape[2] // 2
        mixed = images.copy()
        mixed[:, :, half:] = self.donors[rng.integers(0, len(self.donors), len(images)), :, half:]
        return mixed
