"""Limits under which a trigger fails: found by gradients, the same ones every time."""

from pathlib import Path

import numpy as np
import pytest

from ninspect import Patch, open_network
from ninspect.remedy.activity import activity
from ninspect.remedy.free import FreeNetwork
from ninspect.remedy.goals import Goal
from ninspect.remedy.proof import measure
from ninspect.remedy.sites import Limits
from ninspect.remedy.threats import Examples, Faint, Threat, threats_of
from ninspect.remedy.unlearn import Unlearning, unlearn
from ninspect.samples import load_samples

TARGET = 5  # of models/digits/translucent_torch.onnx
SHORT = Unlearning(weights=(0.1,), steps=60, batch=32)


@pytest.fixture(scope="module")
def free() -> FreeNetwork:
    return FreeNetwork(open_network("models/digits/translucent_torch.onnx", preset="unit", device="cpu"))


@pytest.fixture(scope="module")
def fit(free: FreeNetwork) -> Examples:
    samples = load_samples(Path("models/digits/samples"), image_shape=(28, 28, 1), limit=100)
    pixels = samples.unit_pixels
    return Examples(pixels, free.network.logits(pixels).argmax(axis=1), samples.labels)


@pytest.fixture(scope="module")
def threat() -> Threat:
    """The trigger that was trained into the model, as its card has it."""
    mask = np.zeros((28, 28), np.float32)
    mask[1:7, 21:27] = 0.5
    return Threat(Goal("class 5", np.full(10, TARGET)), Patch(mask, np.ones((28, 28, 1), np.float32)))


def limits_for(free: FreeNetwork, fit: Examples, threat: Threat) -> Limits:
    top = activity(free.network, free.places, fit.pixels).largest
    (limits,) = unlearn(free, top, fit, [threat], SHORT, seed=0)
    return limits


def test_the_trigger_fails_and_answers_stay(free: FreeNetwork, fit: Examples, threat: Threat) -> None:
    limits = limits_for(free, fit, threat)
    before, after = measure(free.network, fit, [threat]), measure(free.held(limits), fit, [threat])
    assert before.mean_success > 0.9
    assert after.mean_success < 0.1
    assert after.agreement > 0.95
    again = limits_for(free, fit, threat)
    np.testing.assert_array_equal(limits.flat, again.flat)


def test_a_goal_is_sought_anew_as_a_patch_and_as_a_faint_pattern(free: FreeNetwork, fit: Examples) -> None:
    found = threats_of(free.network, fit, [Goal("class 5", np.full(10, TARGET))], 32, seed=0)
    assert [type(one.change) for one in found] == [Patch, Faint, Faint]
    assert measure(free.network, fit, found[:1]).mean_success > 0.9


def test_a_goal_of_its_own_for_each_class_is_sought_too(free: FreeNetwork, fit: Examples) -> None:
    found = threats_of(free.network, fit, [Goal("each to another", (np.arange(10) + 1) % 10)], 20, seed=0)
    assert [type(one.change) for one in found] == [Patch]


def test_only_images_that_a_goal_sends_elsewhere_count() -> None:
    wanted = np.arange(10)
    wanted[2] = 7
    goal = Goal("class 2 to class 7", wanted)
    assert goal.sent(np.array([1, 2, 7, 2])).tolist() == [False, True, False, True]
