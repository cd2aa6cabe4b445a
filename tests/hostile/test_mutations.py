"""Damaged inputs of every kind: each is read, or refused with an error that is documented."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ninspect.errors import InconclusiveError, ModelError, UsageError
from ninspect.model import hidden_decisions, load_classifier, read_model, refuse_operators, understand
from ninspect.preprocess import Preprocess
from ninspect.samples import load_samples
from tests.support import convolutional_model, random_pixels

ROOT = Path(__file__).parents[2]
BUNDLED = min((ROOT / "models").glob("*/*.onnx"), key=lambda path: path.stat().st_size).read_bytes()
SMALL = convolutional_model().SerializeToString()
SHELL = onnx.ModelProto.FromString(SMALL)
for tensor in SHELL.graph.initializer:  # so that damage hits the structure more often than the weights
    tensor.ClearField("raw_data")
    tensor.dims[:] = [0]
MODELS = [BUNDLED, SMALL, SHELL.SerializeToString()]

thorough = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of the originals with bytes changed, cut off, cut out, put in or repeated."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(0, 64))
        match draw(st.sampled_from(["flip", "cut off", "cut out", "put in", "repeat"])):
            case "flip" if data:
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "cut off":
                del data[place:]
            case "cut out":
                del data[place : place + length]
            case "put in":
                data[place:place] = draw(st.binary(min_size=1, max_size=12))
            case _:
                data[place:place] = data[place : place + length]
    return bytes(data)


@thorough
@given(data=damaged(MODELS))
def test_a_damaged_model_is_understood_or_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with suppress(ModelError, UsageError):
        file = read_model(path)
        refuse_operators(file.parse())
        hidden_decisions(understand(file, file.parse()))


@thorough
@given(index=st.integers(0, 11), part=st.sampled_from(["node", "initializer", "input", "output", "value_info"]))
def test_a_repeated_part_is_refused_or_changes_nothing(index: int, part: str, tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(SMALL)
    parts = getattr(model.graph, part)
    if parts:
        parts.append(parts[index % len(parts)])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with suppress(ModelError):
        assert load_classifier(path).classes == 6


def _array_files() -> dict[str, bytes]:
    pixels = (random_pixels(4, (8, 8, 3)) * 255).astype(np.uint8)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, pixels)
    np.savez(npz, x=pixels, y=np.arange(4))
    idx = bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0, 8]) + bytes(256)
    return {"images.npy": npy.getvalue(), "images.npz": npz.getvalue(), "t10k-images-idx3-ubyte": idx}


@pytest.mark.parametrize("name", _array_files())
def test_damaged_images_are_read_or_refused(name: str, tmp_path: Path) -> None:
    shape = (8, 8, 1) if "idx" in name else (8, 8, 3)

    @thorough
    @given(data=damaged([_array_files()[name]]))
    def check(data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        with suppress(UsageError, InconclusiveError):
            assert load_samples(tmp_path / name, image_shape=shape).pixels.shape[1:] == shape

    check()


SETTINGS = (ROOT / "models" / "signs" / "preprocess.toml").read_bytes()
FULL = b"""scale = 0.5
mean = [1.0, 2, 3]
std = [1.0, 2, 3]
layout = "NCHW"
color = "bgr"
size = [8, 8]
resize = "none"
"""


@thorough
@given(data=damaged([SETTINGS, FULL]) | st.binary(max_size=64))
def test_damaged_settings_are_read_or_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "preprocess.toml"
    path.write_bytes(data)
    with suppress(UsageError):
        Preprocess.from_toml(path)
