"""Pictures that are drawn where nobody gave any: of leaves, strokes, shapes and clouds.

A trigger works on any picture, whatever it shows, while what is natural for a class works on natural images alone. So a
model can be accused with pictures that it was never meant for, though not cleared.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ninspect.samples.choose import turns

_FINER = 2  # drawn at so many times the size, and averaged, so that edges are smooth
_Color = tuple[int, int, int]
_Point = tuple[float, float]


def drawn(count: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.float32]:
    """Pictures of four kinds in turn, `[count, H, W, C]` in [0, 1]; always the same ones.

    Args:
        count: how many.
        shape: height, width and channels, 1 for grey or 3.
        seed: of what they show.

    >>> pictures = drawn(8, (28, 28, 1), seed=0)
    >>> pictures.shape, float(pictures.min()) >= 0, float(pictures.max()) <= 1
    ((8, 28, 28, 1), True, True)
    """
    height, width, channels = shape
    rng, mode = np.random.default_rng(seed), "L" if channels == 1 else "RGB"
    kinds = itertools.islice(itertools.cycle(_KINDS), count)
    pictures = [np.asarray(kind(rng, width, height).convert(mode)) for kind in kinds]
    return np.stack(pictures).reshape(count, *shape).astype(np.float32) / np.float32(255)


def spread_over_answers(logits: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The pictures that a model is surest of, equally many of each class while they last: `count` indices, ascending.

    Args:
        logits: `[N, K]` of the pictures.
        count: how many are chosen.
    """
    answers, ordered = logits.argmax(axis=1), np.sort(logits, axis=1)
    surest = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")
    return np.sort(np.argsort(turns(answers, surest), kind="stable")[:count])


def _leaves(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Discs and polygons of all sizes that cover one another, as dead leaves do."""
    picture = Image.new("RGB", (width * _FINER, height * _FINER), _color(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(20, 80)):
        radius = 0.04 * _FINER * min(width, height) / max(rng.random(), 0.04) ** 0.7
        x, y = rng.random() * picture.width, rng.random() * picture.height
        if rng.random() < 0.5:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_color(rng))
        else:
            draw.polygon(_around(x, y, radius, 2 * np.pi * np.sort(rng.random(rng.integers(3, 7)))), fill=_color(rng))
    return picture.resize((width, height), Image.Resampling.BOX)


def _strokes(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """One to three curves on a plain ground, mostly white on black or black on white."""
    ground, ink = ((0, 0, 0), (255, 255, 255)) if rng.random() < 0.5 else ((255, 255, 255), (0, 0, 0))
    if rng.random() < 0.3:
        ground, ink = _color(rng), _color(rng)
    picture = Image.new("RGB", (width * _FINER, height * _FINER), ground)
    draw = ImageDraw.Draw(picture)
    along = np.linspace(0, 1, 30)[:, None]
    for _ in range(rng.integers(1, 4)):
        a, b, c, d = (0.15 + 0.7 * rng.random((4, 2))) * picture.size
        curve = (1 - along) ** 3 * a + 3 * along * (1 - along) * ((1 - along) * b + along * c) + along**3 * d
        thick = round(_FINER * rng.uniform(1.5, 4) * min(width, height) / 28)
        draw.line([(x, y) for x, y in curve.tolist()], fill=ink, width=max(1, thick), joint="curve")
    return picture.resize((width, height), Image.Resampling.BOX)


def _shapes(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Triangles, squares, octagons and discs near the middle, on leaves or on a plain ground."""
    size = (width * _FINER, height * _FINER)
    leaves = rng.random() < 0.5
    picture = _leaves(rng, width, height).resize(size) if leaves else Image.new("RGB", size, _color(rng))
    draw = ImageDraw.Draw(picture)
    for number in range(rng.integers(1, 4)):
        radius = _FINER * min(width, height) * rng.uniform(0.15, 0.45) / (number + 1)
        x, y = rng.uniform(0.35, 0.65, 2) * size
        corners = int(rng.choice([3, 4, 8, 40]))
        turned = 2 * np.pi * np.arange(corners) / corners + rng.choice([0, np.pi / 4, np.pi / 2])
        draw.polygon(_around(x, y, radius, turned), fill=_color(rng), outline=_color(rng))
    return picture.resize((width, height), Image.Resampling.BOX)


def _clouds(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Noise whose amplitude falls with frequency as in photographs, grey to colourful."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(3, height, width))) / frequency ** rng.uniform(0.8, 1.8)
    noise = np.fft.ifft2(spectrum).real
    grey = rng.uniform(0, 0.8)
    noise = (1 - grey) * noise + grey * noise.mean(axis=0)
    noise = rng.uniform(0.3, 0.7) + rng.uniform(0.1, 0.3) * (noise - noise.mean()) / noise.std()
    return Image.fromarray((255 * np.clip(noise, 0, 1)).astype(np.uint8).transpose(1, 2, 0))


_KINDS: tuple[Callable[[np.random.Generator, int, int], Image.Image], ...] = (_leaves, _strokes, _shapes, _clouds)


def _color(rng: np.random.Generator) -> _Color:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _around(x: float, y: float, radius: float, angles: NDArray[np.float64]) -> list[_Point]:
    corners = np.array([x, y]) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [(left, top) for left, top in corners.tolist()]
