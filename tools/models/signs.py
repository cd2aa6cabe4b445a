"""Drawn traffic signs: 43 classes, 32 x 32 RGB, from a seed alone (see `sign_catalog` for the classes)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tools.models.sign_catalog import SIGNS, Colour, Disc, Line, Mark, Poly, Text

CLASS_NAMES = tuple(sign.name for sign in SIGNS)
CLASSES = len(SIGNS)
SIZE = 32
_OVERSAMPLING = 4
_CANVAS = SIZE * _OVERSAMPLING
_FACE = 192  # faces are drawn once per class, larger than they are ever shown
_FACE_RADIUS = 88  # pixels per face unit; the rest is a transparent margin


def make_set(per_class: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw ``per_class`` images of every class, in class order.

    Returns images, uint8 (43 * per_class, 32, 32, 3) in 0-255, and labels, int64.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES, dtype=np.int64), per_class)
    return np.stack([render(int(label), rng) for label in labels]), labels


def render(label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One photograph-like image of class ``label``, uint8 (32, 32, 3): pose, background, light, blur and noise vary."""
    scene = _background(rng)
    sign = _posed(_face(label), rng)
    scene.paste(sign, (0, 0), sign)
    small = scene.resize((SIZE, SIZE), Image.Resampling.BOX)
    return _photographed(small, rng)


@cache
def _face(label: int) -> Image.Image:
    """The upright, evenly lit sign on a transparent square, RGBA."""
    face = Image.new("RGBA", (_FACE, _FACE))
    for mark in SIGNS[label].marks:
        _draw(face, mark)
    return face


def _draw(face: Image.Image, mark: Mark) -> None:
    """Draw one mark of the catalogue onto the face."""
    if isinstance(mark, Text):
        _draw_text(face, mark)
        return
    canvas = ImageDraw.Draw(face)
    if isinstance(mark, Disc):
        canvas.circle(_pixel(mark.centre), mark.radius * _FACE_RADIUS, fill=mark.colour)
    elif isinstance(mark, Poly):
        canvas.polygon([_pixel(point) for point in mark.points], fill=mark.colour)
    else:
        _draw_line(canvas, mark)


def _pixel(point: tuple[float, float]) -> tuple[float, float]:
    return (_FACE / 2 + point[0] * _FACE_RADIUS, _FACE / 2 + point[1] * _FACE_RADIUS)


def _draw_line(canvas: ImageDraw.ImageDraw, mark: Line) -> None:
    points = [_pixel(point) for point in mark.points]
    canvas.line(points, fill=mark.colour, width=round(mark.width * _FACE_RADIUS), joint="curve")


def _draw_text(face: Image.Image, mark: Text) -> None:
    """Text as a mask of its own, so that it can be stretched; drawn twice with an offset to make it bold."""
    font = ImageFont.load_default(size=mark.height * _FACE_RADIUS)
    left, top, right, bottom = font.getbbox(mark.text, stroke_width=2)
    mask = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), mark.text, fill=255, font=font, stroke_width=2)
    mask = mask.resize((round(mask.width * mark.stretch), mask.height), Image.Resampling.BICUBIC)
    ink = Image.new("RGBA", mask.size, (*mark.colour, 255))
    face.paste(ink, ((_FACE - mask.width) // 2, (_FACE - mask.height) // 2), mask)


def _posed(face: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The face turned, scaled, moved and seen slightly from the side, on the oversampled canvas (RGBA)."""
    angle = np.radians(rng.uniform(-9, 9))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    radius = rng.uniform(11.5, 14.5) * _OVERSAMPLING * _FACE / (2 * _FACE_RADIUS)
    unit = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) + rng.uniform(-0.07, 0.07, (4, 2))
    corners = unit @ turn.T * radius + _CANVAS / 2 + rng.uniform(-1.7, 1.7, 2) * _OVERSAMPLING
    square = np.array([[0.0, 0.0], [_FACE, 0.0], [_FACE, _FACE], [0.0, _FACE]])
    data = tuple(_homography(corners, square))
    return face.transform((_CANVAS, _CANVAS), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eight coefficients (Pillow's order) of the projective map that takes four ``source`` points to ``target``."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    return np.asarray(np.linalg.solve(np.array(rows), target.ravel()))


def _background(rng: np.random.Generator) -> Image.Image:
    """A blurred scene on the oversampled canvas: a vertical gradient with blocks, blobs and poles on it."""
    top, bottom = _muted(rng), _muted(rng)
    ramp = np.linspace(0, 1, _CANVAS)[:, None, None]
    gradient = (1 - ramp) * np.array(top) + ramp * np.array(bottom)
    scene = Image.fromarray(np.broadcast_to(gradient, (_CANVAS, _CANVAS, 3)).astype(np.uint8))
    canvas = ImageDraw.Draw(scene)
    for _ in range(rng.integers(3, 9)):
        x, y, width, height = rng.uniform((-20, -20, 6, 10), (_CANVAS, _CANVAS, 50, 90))
        shape = canvas.ellipse if rng.random() < 0.4 else canvas.rectangle
        shape((x, y, x + width, y + height), fill=_muted(rng))
    return scene.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 4)))


def _muted(rng: np.random.Generator) -> Colour:
    """A colour of sky, leaves, walls or asphalt: a random grey with a little of a random hue."""
    grey = rng.uniform(30, 225)
    red, green, blue = np.clip(grey + rng.uniform(-40, 40, 3), 0, 255)
    return int(red), int(green), int(blue)


def _photographed(image: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Camera effects on a small RGB image: blur, light, contrast, tint and noise; uint8 (32, 32, 3)."""
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.7)))
    pixels = np.asarray(blurred, dtype=np.float64)
    middle = rng.uniform(90, 150)
    pixels = (pixels - middle) * rng.uniform(0.65, 1.1) + middle
    pixels *= rng.uniform(0.5, 1.2) * rng.uniform(0.93, 1.07, 3)
    pixels += rng.normal(0, rng.uniform(1, 8), pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
