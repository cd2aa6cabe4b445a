import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ninspect.errors import UsageError
from ninspect.samples import load_samples, readable
from ninspect.samples.readers import ACCEPTED, READERS

MNIST_LIKE = struct.pack(">HBB3I", 0, 8, 3, 2, 4, 5) + bytes(2 * 4 * 5)


def test_messages_name_every_format_that_is_read(tmp_path: Path) -> None:
    assert ACCEPTED == (
        "a folder of images, a folder of class folders, an .npy file, an .npz file, a CSV, JSONL or text file, "
        "a parquet file, a CIFAR batch, an IDX file, or a folder with one"
    )
    (tmp_path / "notes.md").write_text("1,2,3")
    with pytest.raises(UsageError) as refused:
        load_samples(tmp_path / "notes.md", image_shape=(4, 5, 1))
    assert all(reader.accepted in str(refused.value) for reader in READERS)


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("t10k-images-idx3-ubyte.gz", False),  # the labels lie beside it
        ("train-images.idx3-ubyte", False),
        ("table.csv", False),  # the images do
        ("TABLE.TSV", False),
        ("images.npz", True),
        ("images.npy", True),
        ("test_batch.bin", True),
        ("test.parquet", True),
        ("a.png", True),
        ("folder", True),
    ],
)
def test_what_must_be_readable_for_samples(name: str, alone: bool) -> None:
    path = Path("data") / name
    assert readable(path) == ([path] if alone else [path, Path("data")])


def test_the_readers_can_be_asked_without_heavy_imports() -> None:
    heavy = "{'numpy', 'PIL', 'pyarrow', 'pydantic', 'onnx'}"
    code = f"import sys; from ninspect.samples import readable; sys.exit(not {heavy}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_content_tells_the_format_where_the_name_does_not(tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(MNIST_LIKE)
    samples = load_samples(tmp_path / "digits", image_shape=(4, 5, 1))
    assert (samples.kind, samples.labels) == ("idx", None)


def test_the_name_comes_before_the_content(tmp_path: Path) -> None:
    """A batch of CIFAR-100 whose first bytes, two labels and a pixel, are those of an IDX file."""
    path = tmp_path / "test.bin"
    path.write_bytes(bytes([0, 0, 8]) + bytes(3 * 32 * 32 - 1))
    assert load_samples(path, image_shape=(32, 32, 3)).kind == "cifar100"


def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path) -> None:
    for name in ("batch", "batch.bin", "batch.npz"):
        (tmp_path / name).write_bytes(b"\x80\x04\x95")
        with pytest.raises(UsageError, match="is a Python pickle, which can run code when it is loaded"):
            load_samples(tmp_path / name, image_shape=(32, 32, 3))


def test_a_data_set_is_recognised_beside_pictures_of_it(tmp_path: Path) -> None:
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(MNIST_LIKE)
    Image.new("L", (5, 4)).save(tmp_path / "example.png")
    assert load_samples(tmp_path, image_shape=(4, 5, 1)).kind == "idx"
