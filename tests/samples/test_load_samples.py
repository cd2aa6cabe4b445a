import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ninspect.errors import UsageError
from ninspect.samples import Samples, load_samples

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"


def numbered(path: Path, class_sizes: list[int]) -> Path:
    """An .npz file whose image i has the value i, with the labels shuffled."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(class_sizes)), class_sizes))
    np.savez(path, x=np.arange(len(labels), dtype=np.uint8)[:, None, None] * np.ones((4, 5), np.uint8), y=labels)
    return path


def values(samples: Samples) -> list[int]:
    return [int(image[0, 0, 0]) for image in samples.pixels]


def test_limit_chooses_evenly_over_the_classes_and_keeps_the_order(tmp_path: Path) -> None:
    path = numbered(tmp_path / "images.npz", [100, 50, 3, 30])
    whole = load_samples(path, image_shape=(4, 5, 1))
    samples = load_samples(path, image_shape=(4, 5, 1), limit=32)
    assert samples.labels is not None
    assert whole.labels is not None
    counts = np.bincount(samples.labels)
    assert counts.sum() == 32
    assert counts[2] == 3
    assert sorted(counts[[0, 1, 3]]) == [9, 10, 10]
    assert values(samples) == sorted(values(samples))
    assert samples.labels.tolist() == whole.labels[values(samples)].tolist()
    assert samples.names == tuple(f"images.npz[{value}]" for value in values(samples))


def test_limit_is_a_random_choice_that_the_seed_repeats(tmp_path: Path) -> None:
    path = numbered(tmp_path / "images.npz", [40, 40])
    chosen = [values(load_samples(path, image_shape=(4, 5, 1), limit=10, seed=seed)) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]


def test_limit_gives_the_odd_images_to_random_classes(tmp_path: Path) -> None:
    path = numbered(tmp_path / "images.npz", [10, 10, 10])
    labels = [load_samples(path, image_shape=(4, 5, 1), limit=1, seed=seed).labels for seed in range(30)]
    assert {int(label[0]) for label in labels if label is not None} == {0, 1, 2}


def test_limit_without_labels_and_beyond_the_end(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((7, 4, 5), np.uint8))
    assert len(load_samples(tmp_path / "images.npy", image_shape=(4, 5, 1), limit=3)) == 3
    assert len(load_samples(tmp_path / "images.npy", image_shape=(4, 5, 1), limit=100)) == 7
    with pytest.raises(UsageError, match=r"cannot read 0 images from .*; use a limit of at least 1"):
        load_samples(tmp_path / "images.npy", image_shape=(4, 5, 1), limit=0)


def test_only_the_chosen_files_are_decoded(tmp_path: Path) -> None:
    """The broken files would make the folder inconclusive if they were opened; the seed avoids them."""
    for index in range(20):
        (tmp_path / f"{index:02}.png").write_text("not an image")
    chosen = np.sort(np.random.default_rng(0).permutation(20)[:4])
    for index in chosen:
        Image.new("L", (5, 4), int(index)).save(tmp_path / f"{index:02}.png")
    samples = load_samples(tmp_path, image_shape=(4, 5, 1), limit=4)
    assert values(samples) == chosen.tolist()
    assert samples.skipped == ()


def drawn(path: Path, limit: int, seed: int) -> list[int]:
    """The class of each image that is drawn."""
    samples = load_samples(path, image_shape=(1, 2, 1), limit=limit, seed=seed)
    assert samples.labels is not None
    assert len(samples) == limit
    return list(map(int, samples.labels))


def labelled(path: Path, class_sizes: list[int]) -> Path:
    """An .npz file of tiny images."""
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    np.savez(path, x=np.zeros((len(labels), 1, 2), np.uint8), y=labels)
    return path


@pytest.mark.parametrize(("limit", "together"), [(8, 2), (30, 2), (45, 3), (60, 4), (92, 4)])
def test_where_classes_are_many_those_drawn_have_several_images(tmp_path: Path, limit: int, together: int) -> None:
    path = labelled(tmp_path / "images.npz", [5] * 47)
    draws = [drawn(path, limit, seed) for seed in range(30)]
    for labels in draws:
        counts = np.unique(labels, return_counts=True)[1].tolist()
        assert counts == [together] * (limit // together)
    assert len({label for labels in draws for label in labels}) > 40


def test_classes_of_a_single_image_are_drawn_last(tmp_path: Path) -> None:
    path = labelled(tmp_path / "images.npz", [1] * 200 + [3] * 20 + [9] * 10)
    counts = np.bincount(drawn(path, 100, 0), minlength=230)
    assert counts[:200].sum() == 0
    assert (counts[200:220] == 3).all()
    assert (counts[220:] == 4).all()


@pytest.mark.parametrize(("accuracy", "classes"), [(0.85, 40), (0.4, 10)])
def test_of_many_classes_enough_are_recognised_twice(tmp_path: Path, accuracy: float, classes: int) -> None:
    """To ask whether every class is sent to another one takes ten classes that the model sees twice.

    A tenth of the images cannot be read, and the model is wrong about some of the rest.
    """
    path = labelled(tmp_path / "images.npz", np.random.default_rng(0).integers(1, 12, 1283).tolist())
    for seed in range(20):
        labels = np.array(drawn(path, 200, seed))
        seen = np.random.default_rng(seed).random(200) < 0.9 * accuracy
        assert (np.bincount(labels[seen]) >= 2).sum() >= classes


def test_paths_that_hold_no_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing does not exist; give a folder of images"):
        load_samples(tmp_path / "missing", image_shape=(4, 5, 1))
    (tmp_path / "notes.md").write_text("1,2,3")
    with pytest.raises(UsageError, match=r"notes.md holds no images that ninspect reads; give a folder"):
        load_samples(tmp_path / "notes.md", image_shape=(4, 5, 1))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(UsageError, match=r"pipe.npy holds no images that ninspect reads"):
        load_samples(tmp_path / "pipe.npy", image_shape=(4, 5, 1))


def test_importing_the_package_does_not_import_pillow() -> None:
    code = "import sys, ninspect.samples; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not (DATASETS / "mnist").is_dir(), reason="MNIST is not beside this checkout")
def test_mnist() -> None:
    samples = load_samples(DATASETS / "mnist", image_shape=(28, 28, 1), limit=100)
    assert samples.pixels.shape == (100, 28, 28, 1)
    assert samples.labels is not None
    assert np.bincount(samples.labels).tolist() == [10] * 10
    assert samples.names[0].startswith("t10k-images-idx3-ubyte.gz[")
    assert 25 < samples.pixels.mean() < 45  # Known mean: 0.1307 · 255 = 33.


@pytest.mark.skipif(not (DATASETS / "gtsrb32_test.npz").is_file(), reason="GTSRB is not beside this checkout")
def test_gtsrb() -> None:
    samples = load_samples(DATASETS / "gtsrb32_test.npz", image_shape=(32, 32, 3), limit=86)
    assert samples.labels is not None
    assert np.bincount(samples.labels).tolist() == [2] * 43
    resized = load_samples(DATASETS / "gtsrb32_test.npz", image_shape=(48, 40, 3), limit=86)
    assert resized.pixels.shape == (86, 48, 40, 3)
    assert abs(float(resized.pixels.mean()) - float(samples.pixels.mean())) < 1
