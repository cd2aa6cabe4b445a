from pathlib import Path

import numpy as np
import pytest

from ninspect.errors import UsageError
from ninspect.samples import load_samples

SHAPE = (32, 32, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def batch(path: Path, *labels: list[int]) -> Path:
    """Writes a binary batch: the label bytes of each record, then red, green and blue."""
    records = np.concatenate([np.array(labels, np.uint8).T, PIXELS.transpose(0, 3, 1, 2).reshape(5, -1)], axis=1)
    path.write_bytes(records.tobytes())
    return path


@pytest.mark.parametrize(
    ("labels", "kind"), [([[3, 8, 0, 1, 9]], "cifar10"), ([[1, 19, 0, 1, 2], [3, 8, 0, 1, 99]], "cifar100")]
)
def test_binary_batches_are_read(tmp_path: Path, labels: list[list[int]], kind: str) -> None:
    path = batch(tmp_path / "test_batch.bin", *labels)
    batch(tmp_path / "data_batch_1.bin", *labels).write_bytes(b"")
    (tmp_path / "batches.meta.txt").write_text("airplane\n")
    for given in (path, tmp_path):
        samples = load_samples(given, image_shape=SHAPE)
        np.testing.assert_array_equal(samples.pixels, PIXELS)
        assert samples.labels is not None
        assert (samples.kind, samples.labels.tolist()) == (kind, labels[-1])


def test_what_is_no_batch_is_refused(tmp_path: Path) -> None:
    path = batch(tmp_path / "a.bin", [3, 8, 0, 1, 10])  # no class 10 in CIFAR-10
    for content in (path.read_bytes(), path.read_bytes()[:-1], b""):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"a.bin is not a binary batch of CIFAR-10 or CIFAR-100; give a complete"):
            load_samples(path, image_shape=SHAPE)
    for name in ("data_batch_1.bin", "data_batch_2.bin"):
        batch(tmp_path / name, [0] * 5)
    path.unlink()
    with pytest.raises(
        UsageError, match=r"several batches \(data_batch_1.bin, data_batch_2.bin\); give one of the files"
    ):
        load_samples(tmp_path, image_shape=SHAPE)


def test_pickled_batches_are_never_opened(tmp_path: Path) -> None:
    for name in ("batches.meta", "test_batch"):
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UsageError, match="holds pickled batches, which can run code; give CIFAR's binary version"):
        load_samples(tmp_path, image_shape=SHAPE)
    with pytest.raises(UsageError, match=r"test_batch is a Python pickle, which can run code when it is loaded"):
        load_samples(tmp_path / "test_batch", image_shape=SHAPE)
