import gzip
import hashlib
import io
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ninspect.errors import ModelError, NinspectError, UsageError
from ninspect.findings import FindingError
from ninspect.model import ModelFile, external, load_classifier, read_model
from tests.support import even_weights, linear_model, onnx_model

MODEL = linear_model(even_weights()).SerializeToString()
SIGNS = Path(__file__).parents[2] / "models" / "signs"


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", MODEL)


def test_a_model_is_read_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODEL)
    file = read_model(path)
    assert file.path == str(path)
    assert file.original == MODEL
    assert file.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert [(part.name, part.sha256, part.bytes) for part in file.files] == [("model.onnx", file.sha256, len(MODEL))]
    assert [node.op_type for node in file.parse().graph.node] == ["Flatten", "MatMul", "Identity"]


def test_a_model_is_the_same_under_another_name(tmp_path: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        (tmp_path / name).write_bytes(MODEL)
    one, two = read_model(tmp_path / "one.onnx"), read_model(tmp_path / "two.onnx")
    assert (one.files == two.files, one.sha256 == two.sha256) == (False, True)


def test_what_is_read_prints_itself_in_a_line() -> None:
    classifier = load_classifier(SIGNS / "clean_torch.onnx")
    for thing, words in ((classifier, "43 classes"), (classifier.file, classifier.file.sha256)):
        assert words in repr(thing)
        assert len(repr(thing)) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download or export it again"),
        (b"hello world\n" * 50, "is a text file, not a model; give the .onnx file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer.*git lfs pull"),
        (gzip.compress(MODEL), "is gzip-compressed; decompress it first"),
        *((pickle.dumps({"a": 1}, protocol), "is a Python pickle, which can run code") for protocol in (2, 3, 4, 5)),
        (b"<!DOCTYPE html><html></html>", "is a web page or XML"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32"}}', "is in safetensors format"),
        (b'{"weights": []}', "is a text file"),
        ("Größe".encode() * 200, "is a text file"),
        (bytes(257) + b"ustar  ", "is a tar archive"),
        (b"\x20\x00\x00\x00ORTM" + bytes(100), "is in ONNX Runtime's own .ort format"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "is a TensorFlow Lite model"),
        (MODEL[: len(MODEL) // 2], "is not an ONNX model, or is truncated"),
        (MODEL[:-1], "is not an ONNX model, or is truncated"),
        (MODEL + b"\xff" * 100, "is not an ONNX model, or is truncated"),
        (np.random.default_rng(0).bytes(4096), "is not an ONNX model, or is truncated"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "holds no network"),
        (onnx_model("").SerializeToString(), "holds no network: its graph has no nodes or no outputs"),
    ],
)
def test_what_is_not_a_model_is_refused_with_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    may_be_a_model = any(words in message for words in ("Python pickle", "truncated", "holds no network"))
    with pytest.raises(NinspectError, match=f"model.onnx ({message})") as error:
        read_model(path)
    assert error.value.exit_code == (3 if may_be_a_model else 2)


def test_a_zip_archive_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "model.onnx")
    with pytest.raises(UsageError, match=r"is a zip archive \(PyTorch \.pt and Keras \.keras files are\)"):
        read_model(tmp_path / "model.onnx")


def test_an_address_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is an address; download the file and give its path"):
        read_model("https://example.org/model.onnx")
    with pytest.raises(UsageError, match="is a folder; give the path"):
        read_model(tmp_path)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*model\.onnx"):
        read_model(tmp_path / "model.onnx")


def test_what_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for path, reason in (("loop", "symbolic links"), ("file/below", "Not a directory"), ("x" * 300, "name too long")):
        with pytest.raises(UsageError, match=f"cannot be read: .*{reason}"):
            read_model(tmp_path / path)


def test_what_is_not_a_regular_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")  # reading it would wait for ever
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(ModelError, match="is not a regular file; give the path of an"):
            read_model(path)


def test_a_sparse_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "model.onnx").open("wb") as stream:
        stream.truncate(3 << 30)
    with pytest.raises(ModelError, match="is a sparse file, 3221225472 bytes of almost nothing"):
        read_model(tmp_path / "model.onnx")


# Weights in another file


def save_with_external_weights(folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(linear_model(even_weights()), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_weights_in_another_file_become_part_of_the_model(tmp_path: Path) -> None:
    path = save_with_external_weights(tmp_path)
    file = read_model(path)
    (weights,) = onnx.ModelProto.FromString(file.original).graph.initializer
    expected = even_weights().reshape(10, 144).T.astype(np.float32)
    assert np.array_equal(onnx.numpy_helper.to_array(weights), expected)


def sha256sum(path: Path, *weights: str) -> str:
    """What the docstring of `ModelFile.sha256` tells an auditor to run."""
    command = '{ sha256sum < "$0"; sha256sum "$@"; } | sha256sum'
    run = subprocess.run(
        ["sh", "-c", command, path.name, *weights],
        cwd=path.parent,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return run.stdout.split()[0]


def test_the_digest_covers_weights_in_another_file(tmp_path: Path) -> None:
    path = save_with_external_weights(tmp_path)
    file = read_model(path)
    assert [(part.name, part.sha256, part.bytes) for part in file.files] == [
        (name, hashlib.sha256((tmp_path / name).read_bytes()).hexdigest(), (tmp_path / name).stat().st_size)
        for name in ("model.onnx", "weights.bin")
    ]
    assert file.sha256 == sha256sum(path, "weights.bin")
    path.rename(tmp_path / "other.onnx")
    assert read_model(tmp_path / "other.onnx").sha256 == file.sha256


def one_number_replaced(folder: Path) -> None:
    content = bytearray((folder / "weights.bin").read_bytes())
    content[400:404] = np.float32(12).tobytes()
    (folder / "weights.bin").write_bytes(content)


def file_exchanged(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(np.full(1440, 0.5, np.float32).tobytes())


def file_renamed(folder: Path) -> None:
    (folder / "weights.bin").rename(folder / "renamed.bin")
    change_external(folder / "model.onnx", location="renamed.bin")


def bytes_that_no_tensor_has(folder: Path) -> None:
    with (folder / "weights.bin").open("ab") as stream:
        stream.write(b"\0")


@pytest.mark.parametrize("change", [one_number_replaced, file_exchanged, file_renamed, bytes_that_no_tensor_has])
def test_other_weights_make_another_digest(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = save_with_external_weights(tmp_path)
    before = read_model(path).sha256
    change(tmp_path)
    assert read_model(path).sha256 != before


def save_in_parts(
    folder: Path, arrays: dict[str, NDArray[np.float32]], places: dict[str, tuple[str, int]]
) -> ModelFile:
    """Read a model with these tensors at (file, offset); files hold random bytes where no tensor is."""
    model = linear_model(even_weights())
    contents: dict[str, bytearray] = {}
    for name, array in arrays.items():
        file, offset = places[name]
        content = contents.setdefault(str(Path(file)), bytearray(np.random.default_rng(0).bytes(6 * 2**20)))
        content[offset : offset + array.nbytes] = array.tobytes()
        tensor = model.graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT, dims=array.shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", str(offset)), ("length", str(array.nbytes))):
            tensor.external_data.add(key=key, value=value)
    for file, content in contents.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return read_model(folder / "model.onnx")


def test_tensors_are_cut_out_wherever_they_lie_in_their_files(tmp_path: Path) -> None:
    """Longer than what is read at a time, within one another, out of order, empty, at the end, spelled otherwise."""
    large = np.arange(2**20, dtype=np.float32)
    arrays = {"late": large[:100], "large": large, "within": large[500:900], "none": large[:0], "other": large[:7]}
    places = {
        "late": ("b.data", 6 * 2**20 - 400),
        "large": ("b.data", 4242),
        "within": ("./b.data", 4242 + 2000),
        "none": ("b.data", 6 * 2**20),
        "other": ("a/a.data", 13),
    }
    file = save_in_parts(tmp_path, arrays, places)
    read = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in file.parse().graph.initializer}
    for name, array in arrays.items():
        assert np.array_equal(read[name], array), name
    assert [part.name for part in file.files] == ["model.onnx", "a/a.data", "b.data"]
    assert file.sha256 == sha256sum(tmp_path / "model.onnx", "a/a.data", "b.data")


class Changing(io.FileIO):
    """A file that someone else writes to as soon as a part of it was read."""

    def __init__(self, path: Path, change: Callable[[Path], object]) -> None:
        super().__init__(path)
        self.path, self.change = path, change

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.change(self.path)
        return piece or b""


def test_what_is_hashed_is_what_is_used_even_if_the_file_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.arange(3 * 2**19, dtype=np.float32)
    places = {"large": ("b.data", 0)}
    before = save_in_parts(tmp_path, {"large": numbers}, places).files[1]

    def change_with(change: Callable[[Path], object]) -> None:
        monkeypatch.setattr(external, "open_external", lambda folder, name, tensor: Changing(folder / name, change))

    change_with(lambda path: path.write_bytes(bytes(6 * 2**20)))
    file = read_model(tmp_path / "model.onnx")
    (large,) = (tensor for tensor in file.parse().graph.initializer if tensor.name == "large")
    assert file.files[1].sha256 != before.sha256
    rest = bytes(6 * 2**20 - len(large.raw_data))
    assert hashlib.sha256(large.raw_data + rest).hexdigest() == file.files[1].sha256

    change_with(lambda path: os.truncate(path, 2**20))
    with pytest.raises(ModelError, match=r"'b\.data' has 1048576 bytes, but the weights of tensor 'large' are bytes 0"):
        read_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_missing_or_short_weight_file_is_named(tmp_path: Path, damage: str) -> None:
    path = save_with_external_weights(tmp_path)
    weights = tmp_path / "weights.bin"
    weights.unlink() if damage == "missing" else weights.write_bytes(weights.read_bytes()[:100])
    message = (
        "which is missing beside it" if damage == "missing" else "has 100 bytes, but .* are bytes 0 to 5760; it is"
    )
    with pytest.raises(ModelError, match=f"'weights.bin'.* {message}"):
        read_model(path)


def change_external(path: Path, **fields: str) -> None:
    """Write other fields into the external data of a model's only tensor."""
    model = onnx.load(path, load_external_data=False)
    tensor = model.graph.initializer[0]
    known = {entry.key: entry.value for entry in tensor.external_data} | fields
    del tensor.external_data[:]
    for key, value in known.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"location": "../secret.bin"}, "HX001"),
        ({"location": "sub/../../secret.bin"}, "HX001"),
        ({"location": "/etc/hostname"}, "HX001"),
        ({"location": "C:\\secret.bin"}, "HX001"),
        ({"location": "..\\secret.bin"}, "HX001"),
        ({"location": "\\\\server\\share\\secret.bin"}, "HX001"),
        ({"location": "weights\0.bin"}, "HX001"),
        ({"location": "*/_ORT_MEM_ADDR_/*", "offset": "140737488355328"}, "HX001"),
        ({"location": "link.bin"}, "HX002"),
        ({"location": "folder/secret.bin"}, "HX002"),
        ({"location": "dangling"}, "HX002"),
        ({"location": "pipe.bin"}, "HX002"),
        ({"location": "sub"}, "HX002"),
        ({"location": ""}, "HX002"),
        ({"location": "hard.bin"}, "HX003"),
        ({"offset": "-1"}, "HX004"),
        ({"offset": "1e3"}, "HX004"),
        ({"offset": "9" * 30}, "HX004"),
        ({"offset": "٣"}, "HX004"),
        ({"length": "5761"}, "HX004"),
        ({"__class__": "x"}, "HX005"),
        ({"basepath": "/etc"}, "HX005"),
    ],
)
def test_weights_that_are_not_the_models_own_are_never_read(tmp_path: Path, fields: dict[str, str], rule: str) -> None:
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    path = save_with_external_weights(folder)
    (tmp_path / "secret.bin").write_bytes((folder / "weights.bin").read_bytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "dangling").symlink_to("nothing")
    os.link(tmp_path / "secret.bin", folder / "hard.bin")
    os.mkfifo(folder / "pipe.bin")
    change_external(path, **fields)
    with pytest.raises(FindingError) as error:
        read_model(path)
    assert (error.value.finding.rule, error.value.finding.nodes) == (rule, ("w",))
    assert error.value.exit_code == 1


def test_weights_in_a_folder_below_the_model_are_its_own(tmp_path: Path) -> None:
    path = save_with_external_weights(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "sub" / "weights.bin")
    change_external(path, location="sub/weights.bin", checksum="00")
    assert len(read_model(path).original) > 5760


def test_weights_beyond_the_end_of_their_file_are_not_read(tmp_path: Path) -> None:
    path = save_with_external_weights(tmp_path)
    change_external(path, offset=str(10**17))
    with pytest.raises(
        ModelError, match=r"'weights\.bin' has 5760 bytes, but the weights of tensor 'w' are bytes 10{17}"
    ):
        read_model(path)


def test_a_constant_in_another_file_is_resolved_too(tmp_path: Path) -> None:
    """ONNX Runtime would look for it in the working directory."""
    model = onnx_model(
        "c = Constant<value = float[10] {0,1,2,3,4,5,6,7,8,9}>(); f = Flatten(x); y = Gemm(f, w, c)",
        w=np.zeros((64, 10)),
    )
    constant = model.graph.node[0].attribute[0].t
    (tmp_path / "c.bin").write_bytes(np.arange(10, dtype=np.float32).tobytes())
    for field in ("float_data", "raw_data"):
        constant.ClearField(field)
    constant.data_location = onnx.TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="c.bin")
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    read = read_model(tmp_path / "model.onnx").parse().graph.node[0].attribute[0].t
    assert onnx.numpy_helper.to_array(read).tolist() == list(range(10))
