from itertools import combinations

import numpy as np
import pytest
from scipy.signal import convolve2d

from ninspect.measure.features import (
    Features,
    FeatureSums,
    heatmaps,
    peak,
    persistent_chained,
    persistent_pairwise,
    smooth,
    sparse,
)
from tests.support import Array

LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def random_maps(*shape: int, seed: int = 0) -> Array:
    """Heatmaps `[S, N, H, W]`, each reaching from 0 to 1."""
    return heatmaps(np.random.default_rng(seed).standard_normal((*shape, 3)))


def summed(maps: Array, pieces: list[tuple[slice, slice]], threshold: float = 0.5) -> Features:
    sums = FeatureSums(len(maps), (maps.shape[2], maps.shape[3]), threshold)
    for classes, images in pieces:
        sums.add(classes, maps[classes, images])
    return sums.features()


def at_once(maps: Array, threshold: float = 0.5) -> Features:
    return summed(maps, [(slice(0, len(maps)), slice(0, maps.shape[1]))], threshold)


def test_a_heatmap_is_the_largest_absolute_gradient_over_channels_between_0_and_1() -> None:
    gradient = np.array([[[1, -3], [2, 2]], [[0, 0], [-7, 5]]], np.float32)  # largest: 3, 2, 0, 7
    assert np.allclose(heatmaps(gradient) * 7, [[3, 2], [0, 7]])


def test_each_heatmap_is_scaled_by_itself() -> None:
    gradient = np.random.default_rng(0).standard_normal((4, 5, 6, 7, 3)).astype(np.float32)
    maps = heatmaps(gradient)
    assert maps.shape == (4, 5, 6, 7)
    assert maps.dtype == np.float32
    assert (maps.min(axis=(2, 3)) == 0).all()
    assert (maps.max(axis=(2, 3)) == 1).all()
    assert np.allclose(maps[2, 3], heatmaps(gradient[2, 3]))
    assert np.allclose(heatmaps(gradient * 1e-6), maps, atol=1e-6)
    assert np.allclose(heatmaps(-gradient), maps)


def test_a_gradient_without_contrast_gives_a_map_of_zeros() -> None:
    assert (heatmaps(np.full((2, 4, 4, 3), -3.0)) == 0).all()


def test_the_features_of_a_map_by_hand() -> None:
    spot = np.zeros((5, 5))
    spot[2, 2] = 1
    assert sparse(spot) == 1
    assert smooth(spot) == 4 + 4 * 1  # −4 in the middle, 1 at each of its neighbours
    corner = np.zeros((5, 5))
    corner[0, 0] = 1
    assert smooth(corner) == 0  # a corner is nobody's 4-neighbour
    ramp = np.tile(np.linspace(0, 1, 5), (5, 1))
    assert sparse(ramp) == pytest.approx(5 * 2.5)
    assert smooth(ramp) == pytest.approx(0)


@pytest.mark.parametrize("shape", [(3, 3), (4, 7), (28, 28)])
def test_smooth_is_the_sum_of_the_absolute_laplacian_without_padding(shape: tuple[int, int]) -> None:
    maps = random_maps(2, 3, *shape)
    for one in maps.reshape(-1, *shape):
        assert smooth(one) == pytest.approx(np.abs(convolve2d(one, LAPLACIAN, mode="valid")).sum())


@pytest.mark.parametrize("images", [2, 3, 7, 10])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_pairwise_persistence_is_the_mean_over_all_pairs_of_images(images: int, threshold: float) -> None:
    maps = random_maps(3, images, 6, 5)
    bits = maps > threshold
    pairs = [(bits[:, i] ^ bits[:, j]).sum(axis=(1, 2)) for i, j in combinations(range(images), 2)]
    assert np.allclose(at_once(maps, threshold).persistent, np.mean(pairs, axis=0))


@pytest.mark.parametrize("images", [1, 2, 3, 8, 9])
def test_chained_persistence_is_one_exclusive_or_over_all_images(images: int) -> None:
    maps = random_maps(3, images, 6, 5)
    bits = maps > 0.5
    chain = bits[:, 0]
    for i in range(1, images):
        chain = chain ^ bits[:, i]
    assert np.array_equal(at_once(maps).persistent_chained, chain.sum(axis=(1, 2)))


def test_the_same_map_for_every_image_persists_perfectly() -> None:
    maps = np.repeat(random_maps(2, 1, 6, 5), 4, axis=1)
    assert (at_once(maps).persistent == 0).all()
    assert (at_once(maps).persistent_chained == 0).all()


def test_persistence_by_hand() -> None:
    ones = np.array([[0, 1], [2, 3]])  # of three images: distances 0, 2·(1/3)·(2/3)·(3/2) = 2/3, the same, 0
    assert persistent_pairwise(ones, np.array(3)) == pytest.approx(4 / 3)
    assert persistent_chained(np.array([[True, False], [True, True]])) == 3


def test_a_pixel_at_the_threshold_is_off() -> None:
    maps = np.zeros((1, 2, 3, 3), np.float32)
    maps[0, 0, 1] = [0.25, 0.5, 1]
    assert at_once(maps, threshold=0.5).persistent_chained.tolist() == [1]
    assert at_once(maps, threshold=0.25).persistent_chained.tolist() == [2]


def test_one_image_has_no_pair() -> None:
    features = at_once(random_maps(2, 1, 6, 5))
    assert np.isnan(features.persistent).all()
    assert np.isfinite(features.persistent_chained).all()


@pytest.mark.parametrize("seed", range(5))
def test_adding_in_pieces_equals_adding_at_once(seed: int) -> None:
    maps = random_maps(7, 11, 6, 5, seed=seed)
    generator = np.random.default_rng(seed)
    class_cuts, image_cuts = (np.sort(generator.choice(np.arange(1, n), 3, replace=False)) for n in maps.shape[:2])
    pieces = [
        (slice(*classes), slice(*images))
        for classes in zip([0, *class_cuts], [*class_cuts, 7], strict=True)
        for images in zip([0, *image_cuts], [*image_cuts, 11], strict=True)
    ]
    generator.shuffle(pieces)
    whole, parts = at_once(maps), summed(maps, pieces)
    assert np.allclose(parts.sparse, whole.sparse)
    assert np.allclose(parts.smooth, whole.smooth)
    assert np.array_equal(parts.persistent, whole.persistent)
    assert np.array_equal(parts.persistent_chained, whole.persistent_chained)
    assert np.array_equal(parts.images, whole.images)


def test_sparse_and_smooth_are_means_over_images() -> None:
    maps = random_maps(3, 4, 6, 5)
    features = at_once(maps)
    assert np.allclose(features.sparse, maps.sum(axis=(2, 3)).mean(axis=1))
    assert np.allclose(features.smooth, smooth(maps).mean(axis=1))


def test_a_map_without_contrast_counts_as_not_measured() -> None:
    maps = random_maps(3, 6, 6, 5)
    maps[0, [1, 4]] = 0
    maps[1] = 0
    features, measured = at_once(maps), at_once(maps[:, [0, 2, 3, 5]])
    assert features.images.tolist() == [4, 0, 6]
    for name in ("sparse", "smooth", "persistent", "persistent_chained"):
        column = getattr(features, name)
        assert np.isnan(column).tolist() == [False, True, False]
        assert column[0] == pytest.approx(getattr(measured, name)[0])


def test_the_peak_is_the_share_of_the_brightest_box() -> None:
    maps = np.zeros((2, 6, 7))
    maps[0, 1:4, 2:5] = 1
    maps[1] = 0.5
    assert peak(maps) == pytest.approx([1, 9 / 42])
    maps[0, 5, 6] = 27
    assert peak(maps)[0] == pytest.approx(28 / 36)  # a pixel of the square is in its box
