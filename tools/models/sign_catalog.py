"""The 43 traffic-sign classes as data: plates of concentric layers and the marks drawn on them.

Coordinates are in the unit face: x to the right, y downwards, the plate fills [-1, 1] x [-1, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Point = tuple[float, float]
Colour = tuple[int, int, int]

RED: Colour = (196, 24, 34)
BLUE: Colour = (20, 82, 168)
WHITE: Colour = (244, 244, 240)
BLACK: Colour = (24, 24, 26)
YELLOW: Colour = (248, 190, 24)
GREEN: Colour = (24, 140, 70)


@dataclass(frozen=True)
class Poly:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: Colour


@dataclass(frozen=True)
class Line:
    """A polyline of constant width."""

    points: tuple[Point, ...]
    width: float
    colour: Colour


@dataclass(frozen=True)
class Disc:
    """A filled circle."""

    centre: Point
    radius: float
    colour: Colour


@dataclass(frozen=True)
class Text:
    """Centred text; ``height`` is the font size in face units, ``stretch`` widens or narrows it."""

    text: str
    height: float
    colour: Colour
    stretch: float = 1.0


Mark = Poly | Line | Disc | Text
Marks = tuple[Mark, ...]


@dataclass(frozen=True)
class Sign:
    """One class: its name and everything on its face, in drawing order."""

    name: str
    marks: Marks


def regular(corners: int, radius: float, turn: float, colour: Colour, centre: Point = (0.0, 0.0)) -> Poly:
    """Regular polygon; ``turn`` is the angle of the first corner in degrees, 0 to the right, 90 downwards."""
    angles = [math.radians(turn + 360.0 * i / corners) for i in range(corners)]
    return Poly(tuple((centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles), colour)


def box(left: float, top: float, right: float, bottom: float, colour: Colour) -> Poly:
    """Axis-parallel rectangle."""
    return Poly(((left, top), (right, top), (right, bottom), (left, bottom)), colour)


def arrow(points: tuple[Point, ...], colour: Colour, width: float = 0.24, head: float = 0.36) -> Marks:
    """Polyline with an arrow head of half-width ``head`` at its last point."""
    (x0, y0), (x1, y1) = points[-2:]
    length = math.hypot(x1 - x0, y1 - y0)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - dx * head * 1.1, y1 - dy * head * 1.1)
    barbs = ((neck[0] - dy * head, neck[1] + dx * head), (neck[0] + dy * head, neck[1] - dx * head))
    tip = Poly(((x1, y1), *barbs), colour)
    return (Line((*points[:-1], neck), width, colour), tip)


def arc(centre: Point, radius: float, start: float, stop: float) -> tuple[Point, ...]:
    """Thirteen points on a circle from ``start`` to ``stop`` degrees, 0 to the right, 90 downwards."""
    angles = [math.radians(start + (stop - start) * i / 12) for i in range(13)]
    return tuple((centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles)


def mirrored(marks: Marks) -> Marks:
    """The same marks seen in a mirror (left and right exchanged); text is left as it is."""
    flipped: list[Mark] = []
    for mark in marks:
        if isinstance(mark, Disc):
            flipped.append(replace(mark, centre=(-mark.centre[0], mark.centre[1])))
        elif isinstance(mark, Text):
            flipped.append(mark)
        else:
            flipped.append(replace(mark, points=tuple((-x, y) for x, y in mark.points)))
    return tuple(flipped)


def shifted(marks: Marks, dx: float, dy: float, scale: float = 1.0) -> Marks:
    """The same marks scaled about the origin, then moved; text is left as it is."""
    moved: list[Mark] = []
    for mark in marks:
        if isinstance(mark, Disc):
            centre = (mark.centre[0] * scale + dx, mark.centre[1] * scale + dy)
            moved.append(replace(mark, centre=centre, radius=mark.radius * scale))
        elif isinstance(mark, Text):
            moved.append(mark)
        else:
            points = tuple((x * scale + dx, y * scale + dy) for x, y in mark.points)
            if isinstance(mark, Line):
                moved.append(Line(points, mark.width * scale, mark.colour))
            else:
                moved.append(Poly(points, mark.colour))
    return tuple(moved)


def _triangle(radius: float, colour: Colour, turn: float = -90.0) -> Poly:
    # The centroid of an upright triangle sits low in its bounding box, hence the shift.
    return regular(3, radius, turn, colour, (0.0, 0.22 if turn < 0 else -0.22))


def _car(colour: Colour) -> Marks:
    # Seen from behind: roof, body, wheels.
    roof = Poly(((-0.18, -0.32), (0.18, -0.32), (0.28, -0.02), (-0.28, -0.02)), colour)
    wheels = (box(-0.30, 0.2, -0.14, 0.38, colour), box(0.14, 0.2, 0.30, 0.38, colour))
    return (roof, box(-0.32, -0.04, 0.32, 0.24, colour), *wheels)


def _lorry(colour: Colour) -> Marks:
    cab = Poly(((0.2, -0.14), (0.4, -0.14), (0.54, 0.04), (0.54, 0.2), (0.2, 0.2)), colour)
    wheels = (Disc((-0.32, 0.26), 0.13, colour), Disc((0.34, 0.26), 0.13, colour))
    return (box(-0.56, -0.34, 0.14, 0.2, colour), cab, *wheels)


def _walker(colour: Colour) -> Marks:
    limbs = (
        Line(((0.0, -0.26), (0.0, 0.12)), 0.22, colour),
        Line(((0.0, 0.08), (-0.2, 0.52)), 0.13, colour),
        Line(((0.0, 0.08), (0.22, 0.52)), 0.13, colour),
        Line(((-0.26, 0.06), (0.0, -0.26), (0.26, 0.02)), 0.11, colour),
    )
    return (Disc((0.0, -0.5), 0.14, colour), *limbs)


def _flake(colour: Colour) -> Marks:
    arms: list[Mark] = []
    for angle in (-90.0, -30.0, 30.0):
        (x, y), (u, v) = regular(2, 0.46, angle, colour).points
        arms.append(Line(((x, y), (u, v)), 0.13, colour))
    tips = tuple(Disc(point, 0.1, colour) for point in regular(6, 0.42, -90.0, colour).points)
    return (*arms, *tips)


_PROHIBITION: Marks = (Disc((0, 0), 1.0, RED), Disc((0, 0), 0.76, WHITE))
_MANDATORY: Marks = (Disc((0, 0), 1.0, WHITE), Disc((0, 0), 0.93, BLUE))
_WARNING: Marks = (_triangle(1.2, RED), _triangle(0.8, WHITE))
_NO_WAITING: Marks = (Disc((0, 0), 1.0, RED), Disc((0, 0), 0.8, BLUE))
_INFO: Marks = (box(-0.92, -0.92, 0.92, 0.92, WHITE), box(-0.84, -0.84, 0.84, 0.84, BLUE))
_SLASH: Marks = (Line(((-0.56, -0.56), (0.56, 0.56)), 0.2, RED),)
_BACKSLASH: Marks = (Line(((0.56, -0.56), (-0.56, 0.56)), 0.2, RED),)

_TURN_LEFT = arrow(((0.3, 0.6), (0.3, -0.1), (-0.62, -0.1)), WHITE)
_NO_LEFT = (*arrow(((0.28, 0.5), (0.28, -0.12), (-0.5, -0.12)), BLACK, 0.2, 0.28), *_BACKSLASH)
_CURVE_LEFT = arrow(((0.18, 0.66), (0.18, 0.3), (-0.22, -0.18)), BLACK, 0.2, 0.24)
_STRAIGHT = arrow(((0.0, 0.66), (0.0, -0.7)), WHITE)
_FORK_LEFT = (
    *arrow(((0.26, 0.66), (0.26, -0.72)), WHITE, 0.22, 0.3),
    *arrow(((0.26, 0.28), (-0.64, 0.28)), WHITE, 0.22, 0.3),
)
_KEEP_LEFT = arrow(((0.5, -0.5), (-0.52, 0.52)), WHITE, 0.26, 0.4)
_NARROW_SIDE = (Line(((-0.36, 0.6), (-0.36, 0.36), (-0.12, 0.1), (-0.12, -0.24)), 0.15, BLACK),)
_DOUBLE_CURVE = (Line(((0.16, 0.64), (0.16, 0.44), (-0.2, 0.2), (0.2, -0.06), (0.0, -0.34)), 0.18, BLACK),)
_ROUNDABOUT: Marks = tuple(
    mark for start in (-80.0, 40.0, 160.0) for mark in arrow(arc((0, 0), 0.5, start, start + 92.0), WHITE, 0.2, 0.26)
)


def _limit(number: str) -> Sign:
    narrow = 0.8 if len(number) == 3 else 1.0
    return Sign(f"limit_{number}", (*_PROHIBITION, Text(number, 1.1, BLACK, narrow)))


SIGNS: tuple[Sign, ...] = (
    *(_limit(number) for number in ("20", "30", "50", "70", "100", "120")),
    Sign(
        "end_of_limits",
        (
            Disc((0, 0), 1.0, BLACK),
            Disc((0, 0), 0.93, WHITE),
            *(Line(((0.5 + d, -0.62 + d), (-0.62 + d, 0.5 + d)), 0.09, BLACK) for d in (-0.12, 0.06, 0.24)),
        ),
    ),
    Sign("no_overtaking", (*_PROHIBITION, *shifted(_car(RED), -0.33, 0, 0.9), *shifted(_car(BLACK), 0.33, 0, 0.9))),
    Sign("no_lorries", (*_PROHIBITION, *_lorry(BLACK))),
    Sign("no_vehicles", _PROHIBITION),
    Sign("no_entry", (Disc((0, 0), 1.0, WHITE), Disc((0, 0), 0.95, RED), box(-0.66, -0.2, 0.66, 0.2, WHITE))),
    Sign("no_left_turn", (*_PROHIBITION, *_NO_LEFT)),
    Sign("no_right_turn", (*_PROHIBITION, *mirrored(_NO_LEFT))),
    Sign(
        "height_limit",
        (*_PROHIBITION, regular(3, 0.36, 90, BLACK, (0, -0.42)), regular(3, 0.36, -90, BLACK, (0, 0.42))),
    ),
    Sign(
        "width_limit",
        (*_PROHIBITION, regular(3, 0.36, 0, BLACK, (-0.42, 0)), regular(3, 0.36, 180, BLACK, (0.42, 0))),
    ),
    Sign("no_parking", (*_NO_WAITING, *_SLASH)),
    Sign("no_stopping", (*_NO_WAITING, *_SLASH, *_BACKSLASH)),
    Sign("yield", (_triangle(1.2, RED, 90), _triangle(0.74, WHITE, 90))),
    Sign("stop", (regular(8, 1.05, 22.5, WHITE), regular(8, 0.98, 22.5, RED), Text("STOP", 0.72, WHITE, 0.92))),
    Sign("priority_road", (regular(4, 1.08, 0, BLACK), regular(4, 1.02, 0, WHITE), regular(4, 0.7, 0, YELLOW))),
    Sign("caution", (*_WARNING, Line(((0, -0.3), (0, 0.26)), 0.22, BLACK), Disc((0, 0.48), 0.13, BLACK))),
    Sign("curve_left", (*_WARNING, *_CURVE_LEFT)),
    Sign("curve_right", (*_WARNING, *mirrored(_CURVE_LEFT))),
    Sign("double_curve", (*_WARNING, *_DOUBLE_CURVE)),
    Sign(
        "bumps",
        (
            *_WARNING,
            box(-0.56, 0.38, 0.56, 0.52, BLACK),
            Disc((-0.25, 0.36), 0.2, BLACK),
            Disc((0.25, 0.36), 0.2, BLACK),
        ),
    ),
    Sign(
        "crossroads",
        (*_WARNING, Line(((0, -0.26), (0, 0.58)), 0.2, BLACK), Line(((-0.4, 0.22), (0.4, 0.22)), 0.2, BLACK)),
    ),
    Sign("road_narrows", (*_WARNING, *_NARROW_SIDE, *mirrored(_NARROW_SIDE))),
    Sign(
        "traffic_lights",
        (
            *_WARNING,
            box(-0.2, -0.36, 0.2, 0.58, BLACK),
            Disc((0, -0.19), 0.12, RED),
            Disc((0, 0.11), 0.12, YELLOW),
            Disc((0, 0.41), 0.12, GREEN),
        ),
    ),
    Sign("pedestrians", (*_WARNING, *shifted(_walker(BLACK), 0.0, 0.16, 0.86))),
    Sign("snow", (*_WARNING, *shifted(_flake(BLACK), 0.0, 0.22, 0.84))),
    Sign("steep_hill", (*_WARNING, Poly(((-0.5, 0.56), (-0.5, 0.0), (0.58, 0.56)), BLACK))),
    Sign(
        "two_way",
        (
            *_WARNING,
            *arrow(((-0.22, -0.1), (-0.22, 0.6)), BLACK, 0.14, 0.2),
            *arrow(((0.22, 0.6), (0.22, -0.1)), BLACK, 0.14, 0.2),
        ),
    ),
    Sign("turn_right", (*_MANDATORY, *mirrored(_TURN_LEFT))),
    Sign("turn_left", (*_MANDATORY, *_TURN_LEFT)),
    Sign("straight", (*_MANDATORY, *_STRAIGHT)),
    Sign("straight_or_right", (*_MANDATORY, *mirrored(_FORK_LEFT))),
    Sign("straight_or_left", (*_MANDATORY, *_FORK_LEFT)),
    Sign("keep_right", (*_MANDATORY, *mirrored(_KEEP_LEFT))),
    Sign("keep_left", (*_MANDATORY, *_KEEP_LEFT)),
    Sign("roundabout", (*_MANDATORY, *_ROUNDABOUT)),
    Sign("parking", (*_INFO, Text("P", 1.6, WHITE))),
    Sign("dead_end", (*_INFO, box(-0.14, -0.2, 0.14, 0.66, WHITE), box(-0.5, -0.56, 0.5, -0.2, RED))),
    Sign("crossing", (*_INFO, _triangle(0.84, WHITE), *shifted(_walker(BLACK), 0.0, 0.2, 0.7))),
)
