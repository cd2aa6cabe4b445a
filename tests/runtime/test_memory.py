"""What is asked for before anything is allocated: models of a few hundred bytes that would take gigabytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ninspect.audit.open import open_network
from ninspect.errors import ModelError
from ninspect.model import load_classifier
from ninspect.runtime import check_memory
from tests.support import even_weights, linear_scan_files, ninspect, onnx_model, save

LINEAR = "f = Flatten(x); l = MatMul(f, w); y = Add(l, sum)"


def bomb(nodes: str, **constants: Any) -> onnx.ModelProto:
    """A linear classifier that adds the sum of a tensor `big`."""
    total = "sum = ReduceSum<keepdims = 0>(big)"
    return onnx_model(f"{nodes}; {total}; {LINEAR}", w=even_weights(side=8).reshape(10, 64).T, **constants)


BOMBS = {
    "ConstantOfShape": bomb("big = ConstantOfShape(shape)", shape=np.array([2**20, 2**20])),
    "ConstantOfShape of 3 GB": bomb("big = ConstantOfShape(shape)", shape=np.array([2**15, 24576])),
    "Expand": bomb("big = Expand(x, shape)", shape=np.array([2**24, 2**10, 8, 8])),
    "Tile": bomb("big = Tile(x, shape)", shape=np.array([1, 1, 2**20, 2**20])),
    "Range": bomb("big = Range(zero, end, one)", zero=np.array(0), end=np.array(10**12), one=np.array(1)),
    "Resize": bomb('big = Resize(x, "", scales)', scales=np.array([1, 1, 1e6, 1e6])),
    "Pad": bomb("big = Pad(x, pads)", pads=np.array([0, 0, 2**20, 2**20, 0, 0, 0, 0])),
    "Conv": bomb(f"big = Conv<pads = [{2**28}, {2**28}, {2**28}, {2**28}]>(x, k)", k=np.ones((1, 1, 3, 3))),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_model_that_would_not_fit_is_refused_with_the_number(tmp_path: Path, kind: str) -> None:
    model = save(BOMBS[kind], tmp_path / "model.onnx")
    assert model.stat().st_size < 10_000
    run = ninspect("scan", model, "--format", "json", "--max-memory", "2G")
    assert (run.returncode, run.stderr) == (3, "")
    reason = json.loads(run.stdout)["reason"]
    assert reason.startswith("the scan would take about ")
    assert "GiB of memory, and the limit is 2.0 GiB" in reason


def test_images_of_any_size_are_refused_when_they_are_too_large(tmp_path: Path) -> None:
    save(
        onnx_model(
            "p = GlobalAveragePool(x); f = Flatten(p); y = MatMul(f, w)", x="float[N,3,H,W] x", w=np.ones((3, 9))
        ),
        tmp_path / "model.onnx",
    )
    run = ninspect("scan", "model.onnx", "--size", "2000x2000", "--max-memory", "300M", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (3, "")
    assert "The scan would take about" in run.stdout
    np.save(tmp_path / "image.npy", np.zeros((1, 8, 8, 3), np.uint8))
    explain = ["explain", "model.onnx", "--image", "image.npy", "--class", "1", "-o", "new.png"]
    run = ninspect(*explain, "--size", "2000x2000", "--max-memory", "300M", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (3, "")
    assert "the scan would take about" in run.stderr


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    with pytest.raises(ModelError, match=r"would take about .* the limit is 97\.7 KiB"):
        open_network(model, memory=100_000)
    assert open_network(model, memory=1_000_000).classes == 10
    run = ninspect("scan", model, "-s", images, "--max-memory", "100k", "--sandbox", "off")
    assert run.returncode == 3
    assert "limit is 100.0 KiB" in run.stdout


def test_a_model_of_some_size_fits(tmp_path: Path) -> None:
    """A hundred layers of a megabyte for one image: far from the limit, and all of them count."""
    nodes = "".join(f"v{i + 1} = Relu(v{i}); " for i in range(100))
    model = onnx_model(
        f"v0 = Conv<pads = [1, 1, 1, 1]>(x, k); {nodes} p = GlobalAveragePool(v100); f = Flatten(p); y = MatMul(f, w)",
        x="float[N,3,64,64] x",
        k=np.ones((64, 3, 3, 3)),
        w=np.ones((64, 10)),
    )
    classifier = load_classifier(save(model, tmp_path / "model.onnx"))
    check_memory(classifier, images=1, limit=120 * 2**20)
    with pytest.raises(ModelError, match=r"would take about 1\d\d\.\d MiB"):
        check_memory(classifier, images=1, limit=100 * 2**20)
