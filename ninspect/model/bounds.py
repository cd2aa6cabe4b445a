"""What is known of numbers that are functions of logits: their order, their bounds, and which of them can be equal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir

Function = Callable[[Any], Any]
# What is cut off a range without making classes equal that float32 could tell apart: Keras clips at 1e-7.
_SLACK = 1e-6
# What float32 still tells apart, whose numbers have seven digits.
_LARGEST_SHIFT, _SMALLEST = 1e3, 1e-30
_GAINS, _POWERS = (1e-3, 1e6), (0.01, 10)
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
}


@dataclass(frozen=True)
class Common:
    """One number for all classes of an image: a parameter, or what a reduction makes of the classes' numbers.

    Attributes:
        low: lower bound.
        high: upper bound.
        positive: it is above zero for every image.
        of: the tensor that was reduced; None of a parameter.
        by: the reduction: `sum`, `max`, `other`, `log sum exp`, or `more` for a sum or maximum with something added.
    """

    low: float = -math.inf
    high: float = math.inf
    positive: bool = False
    of: ir.Value | None = None
    by: str = ""


@dataclass(frozen=True)
class Ordered:
    """A number for each class: the same function of the logit for all classes of an image.

    Attributes:
        rising: the class with the largest logit has the largest number; else the smallest.
        low: lower bound of all numbers.
        high: upper bound of all numbers.
        winner: at or past which the class with the largest logit always is.
        rival: past which no other class ever is.
        positive: all numbers are above zero.
        likelihood: the numbers are probabilities or functions of them.
        exp_of: they are the exponentials of this tensor.
        gain: factor since the logits, or since the last step that is no factor.
        overflows: the largest of them may become infinite, and so equal.
    """

    rising: bool = True
    low: float = -math.inf
    high: float = math.inf
    winner: float = -math.inf
    rival: float = math.inf
    positive: bool = False
    likelihood: bool = False
    exp_of: ir.Value | None = None
    gain: float = 1.0
    overflows: bool = False


Known = Ordered | Common


def number(function: Function, x: float) -> float:
    """A function at one number; silent where it is infinite or not a number."""
    with np.errstate(all="ignore"):
        return float(function(np.float64(x)))


def mapped(x: Ordered, function: Function, rising: bool = True) -> Ordered:
    """An increasing, or decreasing, function of every number."""
    low, high = sorted((number(function, x.low), number(function, x.high)))
    winner, rival = number(function, x.winner), number(function, x.rival)
    return replace(
        x,
        rising=x.rising == rising,
        low=low,
        high=high,
        winner=winner,
        rival=rival,
        positive=low > 0,
        exp_of=None,
        gain=1.0,
    )


def probabilities(x: Ordered, classes: int, positive: bool = True) -> Ordered | None:
    """Numbers in the order of others whose sum is one: the largest is at least 1/K, and of two one is at most 1/2.

    None where they fall: of distances, those that are turned round are the logits, and what lies before is none.
    """
    return Ordered(True, 0.0, 1.0, 1 / classes, 0.5, positive, likelihood=True) if x.rising else None


def log_probabilities(x: Ordered, classes: int) -> Ordered | None:
    """Their logarithms."""
    found = probabilities(x, classes)
    return None if found is None else mapped(found, np.log)


def moved(operator: str, x: Ordered, by: float, turned: bool) -> Ordered | None:
    """Scores with one constant added to all, or multiplied by one, and so on.

    Constants that make numbers equal in float32 are refused, such as a large one that is added to small numbers.

    Args:
        operator: one of `FUNCTIONS`.
        x: the scores.
        by: the constant.
        turned: the constant is the first operand.
    """
    rising, gain = True, x.gain
    inverted = operator == "Div" and turned
    if operator in ("Add", "Sub"):
        rising = operator == "Add" or not turned
        if not abs(by) <= _LARGEST_SHIFT * gain:
            return None
    elif operator == "Pow":
        rising = by > 0
        tiny = by > 1 and not (x.high < math.inf and number(lambda a: a**by, x.winner) > _SMALLEST)
        # The base must not be negative, and not zero where it is inverted.
        if turned or x.low < 0 or not _POWERS[0] <= abs(by) <= _POWERS[1] or tiny or not (rising or x.positive):
            return None
    else:
        rising = (by > 0) != inverted
        gain = 1.0 if inverted else gain * abs(by) if operator == "Mul" else gain / abs(by) if by else 0.0
        if not _GAINS[0] <= gain <= _GAINS[1] or (inverted and not (x.positive and by)):
            return None
    function = FUNCTIONS[operator]
    y = mapped(x, lambda a: function(by, a) if turned else function(a, by), rising)
    scaled = operator in ("Mul", "Div", "Pow") and x.positive and by > 0
    positive = scaled or (operator == "Add" and x.positive and by >= 0) or y.low > 0
    return replace(y, positive=positive, gain=gain)


def reduced_by(operator: str, x: Ordered, by: Common, classes: int) -> Ordered | None:
    """Scores from which something was taken that they themselves have in common, or that were divided by it.

    Args:
        operator: `Sub` or `Div`.
        x: the scores.
        by: a reduction of them over the classes.
        classes: how many there are.
    """
    if operator == "Sub" and by.by == "log sum exp":
        return log_probabilities(x, classes)
    if operator == "Sub" and by.by == "max":
        return Ordered(x.rising, high=0.0, winner=0.0, rival=0.0 if x.rising else -math.inf, likelihood=x.likelihood)
    if operator == "Sub" and by.by == "other":
        return Ordered(x.rising, likelihood=x.likelihood)
    if operator != "Div" or x.low < 0:
        return None
    if by.by == "sum":
        return probabilities(x, classes, x.positive)
    ends = (0.0, 1.0) if x.rising else (1.0, 0.0)
    y = Ordered(x.rising, 0.0, 1.0, *ends, positive=x.positive, likelihood=x.likelihood)
    # With something added, all are zero where all were; a maximum of zero gives no numbers at all.
    return y if by.by == "max" or (by.by == "more" and x.rising and x.winner > _SMALLEST) else None


def clipped(x: Ordered, low: float, high: float, slack: float = _SLACK) -> Ordered | None:
    """Numbers with what is past two bounds cut off; None if the class with the largest logit may then have equals.

    Args:
        x: the numbers.
        low: the lower bound.
        high: the upper bound.
        slack: how much may be cut off in spite of that, as a part of the range of the numbers.
    """
    margin = slack * (x.high - x.low) if math.isfinite(x.high - x.low) else 0.0
    worse, better, winner, rival = (low, high, x.winner, x.rival) if x.rising else (-high, -low, -x.winner, -x.rival)
    if not (low < high and worse <= winner + margin and better >= rival - margin):
        return None
    y = mapped(x, lambda a: np.clip(a, low, high))
    return replace(y, positive=y.low > 0 or (x.positive and high > 0), gain=x.gain)
