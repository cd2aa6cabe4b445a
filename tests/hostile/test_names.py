"""Names from a file neither steer a terminal nor fill it, wherever they are shown."""

from pathlib import Path

import onnx
import pytest

from tests.hostile.process import watched
from tests.support import even_weights, linear_model, ninspect, save

EVIL = "\x1b[31m<script>alert(1)</script>\u202e\n=cmd|calc![red]" + "n" * 3_000_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A classifier in which everything that has a name has a hostile one."""
    proto = linear_model(even_weights())
    names = {"x": "x" + EVIL, "y": "y" + EVIL, "logits": "l" + EVIL}
    for node in proto.graph.node:
        node.name = EVIL
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*proto.graph.input, *proto.graph.output):
        value.name = names[value.name]
    proto.producer_name = proto.producer_version = proto.doc_string = EVIL
    return save(proto, tmp_path / "model.onnx")


def test_a_scan_shows_them_capped_and_escaped(model: Path, tmp_path: Path) -> None:
    run = watched(tmp_path, "scan", model, "--format", "json", "--device", "cpu")
    assert run.code in (0, 3)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_so_does_info(model: Path, format_: str) -> None:
    run = ninspect("info", model, "--format", format_)
    assert (run.returncode, run.stderr) == (3, "")  # it has no gradient
    assert "\\u001b[31m<script>" in run.stdout
    assert not {"\x1b", "\u202e"} & set(run.stdout)
    assert len(run.stdout) < 50_000


def test_so_do_errors(model: Path, tmp_path: Path) -> None:
    proto = onnx.load(model)
    proto.graph.node[0].op_type = EVIL[:1000]
    run = ninspect("augment", save(proto, tmp_path / "other.onnx"), "-o", tmp_path / "gradient.onnx")
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr.count("\n") == 1
    assert not {"\x1b", "\u202e"} & set(run.stderr)
    assert len(run.stderr) < 30_000
