from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ninspect.detect import Case
from ninspect.runtime import Network
from tests.support import Array, even_weights, linear_answers, linear_model, open_network, random_pixels

PIXELS = random_pixels(20, (12, 12, 1))


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(even_weights()), tmp_path)


def case(network: Network, pixels: Array | None = PIXELS, seed: int = 0) -> Case:
    return Case(network, pixels, np.arange(10), seed, lambda done, total: None)


def test_all_clean_images_are_given_without_a_copy(network: Network) -> None:
    given = case(network)
    assert given.clean() is given.pixels


def test_some_clean_images_are_always_the_same_ones_and_the_seed_chooses_them(network: Network) -> None:
    chosen = case(network).chosen(8)
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(case(network).clean(8), PIXELS[chosen])
    assert not np.array_equal(case(network, seed=1).chosen(8), chosen)
    assert case(network).chosen(99).tolist() == list(range(20))


def test_noise_needs_no_images_and_is_always_the_same(network: Network) -> None:
    noise = case(network, None).noise(5)
    assert noise.shape == (5, 12, 12, 1)
    assert noise.dtype == np.float32
    assert 0 <= noise.min() < noise.max() < 1
    assert np.array_equal(noise, case(network).noise(5))
    assert not np.array_equal(noise, case(network, seed=1).noise(5))


def test_the_network_is_asked_once_what_it_answers_to_the_images(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, asked, ask = case(network), list[Array](), Network.logits

    def counted(self: Network, pixels: Array) -> Array:
        asked.append(pixels)
        return ask(self, pixels)

    monkeypatch.setattr(Network, "logits", counted)
    assert np.array_equal(given.answers, linear_answers(even_weights(), PIXELS))
    assert np.array_equal(given.answers, given.logits.argmax(axis=1))
    assert len(asked) == 1


def test_images_are_of_doubt_where_nothing_vouches_for_them(tmp_path: Path) -> None:
    unsure, sure = (open_network(linear_model(scale * even_weights()), tmp_path) for scale in (1e-3, 1e3))
    assert case(sure).confidence > 0.99
    assert case(unsure).confidence == pytest.approx(0.1, abs=0.01)  # all of ten classes alike
    assert not case(unsure).doubtful
    assert replace(case(unsure), labelled=False).unsure
    assert not replace(case(sure), labelled=False).doubtful
    assert replace(case(sure), labelled=False, assumed=True).doubtful
    assert not replace(case(unsure, None), labelled=False, assumed=True).doubtful  # drawn, which has rules of its own


def test_a_counter_adds_up_what_was_done(network: Network) -> None:
    told: list[tuple[int, int]] = []
    count = Case(network, None, np.arange(10), 0, lambda done, total: told.append((done, total))).counter(9)
    for gradients in (2, 3, 4):
        count(gradients)
    assert told == [(2, 9), (5, 9), (9, 9)]


def test_pictures_are_drawn_where_no_images_were_given(network: Network) -> None:
    blind = case(network, None)
    assert blind.pixels is None
    assert blind.clean().shape == (200, 12, 12, 1)
    assert np.array_equal(blind.clean(), case(network, None).clean())
    assert np.array_equal(blind.answers, network.logits(blind.clean()).argmax(axis=1))
