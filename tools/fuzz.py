"""Fuzz what reads untrusted bytes, for a bounded time: only the errors that it documents may come out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import atheris

with atheris.instrument_imports(include=["ninspect"]):
    import ninspect.model.external as external
    import ninspect.model.integrity as integrity
    import ninspect.model.wire as wire
    from ninspect.errors import ModelError, UsageError
    from ninspect.preprocess import Preprocess

import onnx
import typer
from google.protobuf.message import DecodeError

from tools import ROOT

MODELS = ROOT / "models"


def fuzz_wire(folder: Path, data: bytes) -> None:
    """Whatever passes the walk over the bytes is protobuf, and is judged without any other error."""
    with suppress(ModelError, DecodeError):
        wire.check_wire(data, "input")
        integrity.check_integrity(onnx.ModelProto.FromString(data))


def fuzz_external(folder: Path, data: bytes) -> None:
    """Nothing but files within the model's folder is ever opened."""
    given = atheris.FuzzedDataProvider(data)
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    for key in ("location", "offset", "length"):
        if given.ConsumeBool():
            tensor.external_data.add(key=key, value=given.ConsumeUnicodeNoSurrogates(40))
    with suppress(ModelError):
        location, _ = external.place(tensor)
        with external.open_external(folder, location, "w") as stream:
            assert stream.read() == b"0123456789abcdef"


def fuzz_preprocess(folder: Path, data: bytes) -> None:
    """A file of settings is read or refused."""
    path = folder / "preprocess.toml"
    path.write_bytes(data)
    with suppress(UsageError):
        Preprocess.from_toml(path)


TARGETS: dict[str, Callable[[Path, bytes], None]] = {
    "wire": fuzz_wire,
    "external": fuzz_external,
    "preprocess": fuzz_preprocess,
}


def _seeds(folder: Path) -> None:
    """Files to start from: the smallest bundled model, and its settings."""
    folder.mkdir()
    smallest = min(MODELS.glob("*/*.onnx"), key=lambda path: path.stat().st_size)
    model = onnx.load(smallest)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    (folder / "model").write_bytes(model.SerializeToString())
    (folder / "settings").write_bytes((smallest.parent / "preprocess.toml").read_bytes())


def main(
    reader: Annotated[str, typer.Argument(help=f"Of: {', '.join(TARGETS)}.")],
    libfuzzer: Annotated[list[str] | None, typer.Argument(help="Options of libFuzzer.")] = None,
) -> None:
    """Run one target until libFuzzer's limit or the first error.

    Example: python -m tools.fuzz wire -- -max_total_time=60
    """
    if reader not in TARGETS:
        raise typer.BadParameter(f"there is no reader {reader}; choose from {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        folder = root / "work" / "models"
        folder.mkdir(parents=True)
        (folder / "weights.bin").write_bytes(b"0123456789abcdef")
        (root / "work" / "secret.bin").write_bytes(b"secret")
        (folder / "link").symlink_to(root / "work" / "secret.bin")
        _seeds(root / "seeds")
        arguments = [sys.argv[0], *(libfuzzer or ()), str(root / "seeds")]
        atheris.Setup(arguments, lambda data: TARGETS[reader](folder, data))
        atheris.Fuzz()


if __name__ == "__main__":
    typer.run(main)
