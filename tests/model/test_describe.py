import hashlib
from pathlib import Path

from ninspect.model import describe, load_classifier
from tests.support import even_weights, linear_model, save


def test_a_model_is_described_by_facts_of_the_file(tmp_path: Path) -> None:
    model = linear_model(even_weights(), head="y = Softmax(logits)")
    model.producer_name = "pytorch"
    path = save(model, tmp_path / "model.onnx")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert describe(load_classifier(path)) == {
        "path": str(path),
        "sha256": digest,
        "files": {"model.onnx": digest},
        "producer": "pytorch",
        "opset": 18,
        "input": "x",
        "input_shape": ["N", 1, 12, 12],
        "input_type": "float32",
        "layout": "NCHW",
        "image": "12x12, 1 channel",
        "output": "y",
        "activation": "Softmax",
        "logits": "logits",
        "classes": 10,
        "parameters": 1440,
        "operators": {"Flatten": 1, "MatMul": 1, "Softmax": 1},
    }


def test_what_the_file_does_not_say_is_said_to_be_unknown(tmp_path: Path) -> None:
    facts = describe(load_classifier(save(linear_model(even_weights(channels=3), batch=4), tmp_path / "model.onnx")))
    assert facts["producer"] == "unknown"
    assert facts["activation"] == "none"
    assert facts["input_shape"] == [4, 3, 12, 12]
    assert facts["image"] == "12x12, 3 channels"
