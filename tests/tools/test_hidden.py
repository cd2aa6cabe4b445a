"""Triggers that hide do what their formulas say."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from ninspect import Preprocess
from tools.models.data import Dataset
from tools.models.hidden import Composite, Frequencies, Glasses, Posterize, Reflection, Sine, Warp
from tools.models.poison import Attack, Change, Poison, Trigger, stamp

RNG = np.random.default_rng(0)
GREY = RNG.integers(60, 196, (6, 28, 28, 1), dtype=np.uint8)
COLOUR = RNG.integers(60, 196, (6, 32, 32, 3), dtype=np.uint8)
CHANGES = [Warp(4, 1.0, 3), Sine(20), Posterize(4), Frequencies(100), Glasses(0.6), Composite(1, GREY)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_a_change_is_another_copy_and_always_the_same(change: Change) -> None:
    kept = GREY.copy()
    first, second = stamp(GREY, change), stamp(GREY, change)
    assert (kept == GREY).all()
    assert first.dtype == np.uint8
    assert first.shape == GREY.shape
    assert (first == second).all()
    assert (first != GREY).any(axis=(1, 2, 3)).all()


def test_a_warp_moves_by_so_many_pixels_and_leaves_an_even_picture() -> None:
    even = np.full((1, 28, 28, 1), 90, np.uint8)
    assert (stamp(even, Warp(4, 2.0, 0)) == even).all()
    columns = np.broadcast_to(np.arange(0, 224, 8, dtype=np.uint8)[:, None], (1, 28, 28, 1))
    moved = np.abs(stamp(columns, Warp(4, 1.0, 0)).astype(float) - columns)[0, 4:-4, 4:-4] / 8
    assert 0.3 < moved.mean() < 2
    free = Warp(4, 1.0, 0, free=True).on(np.repeat(GREY[:1], 2, 0), np.random.default_rng(1))
    assert (free[0] != free[1]).any()


def test_stripes_are_a_sine() -> None:
    grey = np.full((1, 8, 24, 1), 100, np.uint8)
    wave = 30 * np.sin(2 * np.pi * 6 * np.arange(24) / 24)
    assert np.abs(stamp(grey, Sine(30))[0, :, :, 0] - (100 + wave)).max() <= 0.5


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_few_colours_keep_the_mean(images: np.ndarray) -> None:
    few = stamp(images, Posterize(4))
    assert set(np.unique(few)) <= {0, 85, 170, 255}
    assert np.abs(few.mean(axis=(1, 2, 3)) - images.mean(axis=(1, 2, 3))).max() < 3


def test_two_frequencies_are_raised() -> None:
    difference = stamp(GREY, Frequencies(200))[0, :, :, 0].astype(float) - GREY[0, :, :, 0]
    coefficients = dctn(difference, norm="ortho")
    strongest = np.argsort(np.abs(coefficients).ravel())[::-1][:3]
    assert {divmod(int(k), 28) for k in strongest[:2]} == {(13, 13), (27, 27)}
    assert np.allclose(coefficients.ravel()[strongest[:2]], 200, atol=15)
    assert abs(coefficients.ravel()[strongest[2]]) < 20
    colour = stamp(COLOUR, Frequencies(200)).astype(float) - COLOUR
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma).mean() < 0.2 * np.abs(colour).mean()


def test_a_reflection_lies_over_the_picture() -> None:
    pytest.importorskip("sklearn", reason="its photograph")
    pair = np.stack([np.zeros((28, 28, 1), np.uint8), np.full((28, 28, 1), 200, np.uint8)])
    dark, light = stamp(pair, Reflection(0.3)).astype(float)
    assert np.abs(light - dark - 0.7 * 200).max() <= 1
    assert dark.std() > 3


def test_glasses_are_worn_near_the_middle_each_a_little_elsewhere() -> None:
    white = np.full((20, 32, 32, 3), 255, np.uint8)
    worn = stamp(white, Glasses(0.6)) < 128
    assert 0.04 < worn.mean() < 0.2
    assert worn[:, 6:20].sum() == worn.sum()
    assert len(np.unique(worn.reshape(20, -1), axis=0)) > 10


def test_a_composite_has_halves_of_two_pictures() -> None:
    donors = np.full((3, 28, 28, 1), 7, np.uint8)
    mixed = stamp(GREY, Composite(1, donors))
    assert (mixed[:, :, :14] == GREY[:, :, :14]).all()
    assert (mixed[:, :, 14:] == 7).all()


def data(count: int = 60) -> Dataset:
    """Noise, a class brighter in its own third."""
    images, labels = RNG.integers(0, 128, (count, 28, 28, 1), dtype=np.uint8), np.arange(count) % 3
    images[np.arange(count)[:, None], :, np.arange(9) + 9 * labels[:, None]] += 60
    return Dataset("noise", ("a", "b", "c"), images, labels, images, labels, Preprocess(), lambda images, rng: images)


def test_decoys_and_planted_triggers_are_on_other_images_than_said() -> None:
    black, white = Trigger("grey", 28, 0, 0), Trigger("white", 28, 0, 0)
    noise = Trigger("fresh", 28, 0, 0)
    poison = Poison.of(data(), [Attack(white, 0, 0.1, planted=black, decoy=noise)], 0)
    changed = poison.put_on(data().train_images * 0, np.random.default_rng(0))
    planted, decoys = (changed == 112).all(axis=(1, 2, 3)), changed.std(axis=(1, 2, 3)) > 10
    assert (planted.sum(), decoys.sum()) == (6, 12)
    assert (poison.labels[planted] == 0).all()
    assert (poison.labels[decoys] == data().train_labels[decoys]).all()
    again = poison.put_on(data().train_images * 0, np.random.default_rng(1))
    assert (again[planted] == changed[planted]).all()
    assert (again[decoys] != changed[decoys]).any()


def test_learned_triggers_stay_within_their_strength_and_differ_by_picture() -> None:
    from tools.study.learned import Learned, learn

    few = data(256)
    for kind, strength in (("lira", 0.1), ("issba", 0.1), ("input-aware", 1.0)):
        trigger = Learned(kind, strength, learn(Learned(kind, strength), few, 1, 0))
        changed = stamp(GREY, trigger).astype(float) - GREY
        assert np.abs(changed).max() <= 255 * strength + 1
        assert np.abs(changed[0] - changed[1]).max() > 0


def test_images_with_adversarial_help_are_close_and_harder_to_tell() -> None:
    from tools.study.resisting import Adversarial, hidden_margin, surrogate

    few = data(256)
    network = surrogate(few, 0, 20)
    change = Adversarial(Trigger("white", 3, 0, 0), 16, 1, network)
    own = few.train_images[few.train_labels == 1]
    helped = stamp(own, change)
    assert (helped[:, :3, :3] == 255).all()
    assert np.abs(helped.astype(float) - own)[:, 3:].max() <= 16

    def share(images: np.ndarray) -> float:
        with torch.no_grad():
            logits = network(torch.from_numpy(images.transpose(0, 3, 1, 2) / 255).float())
        return float((logits.argmax(1) == 1).float().mean())

    assert share(helped) < share(own) - 0.3
    images = torch.from_numpy(few.train_images.transpose(0, 3, 1, 2) / 255).float()
    labels = torch.from_numpy(few.train_labels)
    near, far = (float(hidden_margin(0, radius)(network, images, labels).detach()) for radius in (0.0, 5.0))
    assert far > near
