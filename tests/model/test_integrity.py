"""A file that says two things, or none, is refused with the rule that it breaks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ninspect.errors import ModelError
from ninspect.findings import RULES, FindingError
from ninspect.model import read_model
from tests.support import even_weights, linear_model


def raw_and_typed(model: onnx.ModelProto) -> None:
    """ONNX Runtime takes the one, the onnx package refuses both."""
    model.graph.initializer[0].float_data.append(1)


def data_of_another_type(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.double_data.extend([0] * 1440)


def constant_with_two_values(model: onnx.ModelProto) -> None:
    """In a function's node, which the onnx checker accepts."""
    constant = helper.make_node("Constant", [], ["b"], value_float=1.0)
    constant.attribute[0].i = 2
    function = helper.make_function("own", "F", ["a"], ["b"], [constant], [helper.make_opsetid("", 18)])
    model.functions.append(function)


def attribute_twice(model: onnx.ModelProto) -> None:
    """ONNX Runtime takes the first, a Python dictionary the last."""
    model.graph.node[0].attribute.extend([helper.make_attribute("axis", 1), helper.make_attribute("axis", 0)])


def result_twice(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["x"], ["flat"]))


def weight_and_result(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["x"], ["w"]))


def sparse_and_dense(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1440]))


def function_twice(model: onnx.ModelProto) -> None:
    for operator in ("Relu", "Neg"):
        node = helper.make_node(operator, ["a"], ["b"])
        model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 18)]))


def standard_operator_anew(model: onnx.ModelProto) -> None:
    """ONNX Runtime ignores it; a program that inlines functions first does not."""
    node = helper.make_node("Neg", ["X"], ["Y"])
    model.functions.append(helper.make_function("", "Identity", ["X"], ["Y"], [node], [helper.make_opsetid("", 18)]))


def unknown_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


def reads_itself(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "flat"


def function_calls_itself(model: onnx.ModelProto) -> None:
    node = helper.make_node("F", ["a"], ["b"], domain="own")
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 18)]))


def long_chain_of_calls(model: onnx.ModelProto) -> None:
    for i in range(150):
        node = helper.make_node(f"F{i + 1}" if i < 149 else "Relu", ["a"], ["b"], domain="own" if i < 149 else "")
        model.functions.append(helper.make_function("own", f"F{i}", ["a"], ["b"], [node], []))


def python_operator(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("PythonOp", ["x"], ["z"], domain="com.microsoft"))


def random_operator_in_a_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("RandomUniformLike", ["a"], ["b"])
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 18)]))


def short_string_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="s", data_type=TensorProto.STRING, dims=[3], string_data=[b"a"]))


BROKEN: list[tuple[str, Callable[[onnx.ModelProto], None]]] = [
    ("IN001", data_of_another_type),
    ("IN001", short_string_tensor),
    ("IN002", raw_and_typed),
    ("IN002", constant_with_two_values),
    ("IN003", attribute_twice),
    ("IN003", result_twice),
    ("IN003", weight_and_result),
    ("IN003", sparse_and_dense),
    ("IN003", function_twice),
    ("IN004", standard_operator_anew),
    ("IN006", unknown_output),
    ("IN006", reads_itself),
    ("IN006", function_calls_itself),
    ("HX006", long_chain_of_calls),
    ("HX007", python_operator),
    ("GR002", random_operator_in_a_function),
]


def refused(data: bytes, folder: Path) -> FindingError:
    (folder / "model.onnx").write_bytes(data)
    with pytest.raises(FindingError) as error:
        read_model(folder / "model.onnx")
    return error.value


@pytest.mark.parametrize(("rule", "damage"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_rule_is_named(rule: str, damage: Callable[[onnx.ModelProto], None], tmp_path: Path) -> None:
    model = linear_model(even_weights())
    damage(model)
    error = refused(model.SerializeToString(), tmp_path)
    assert error.finding.rule == rule
    assert error.exit_code == (1 if RULES[rule].severity == "error" else 3)
    assert str(error).endswith(f"({rule})")


def test_two_graphs_on_the_wire_are_not_merged(tmp_path: Path) -> None:
    model = linear_model(even_weights())
    other = onnx.ModelProto(graph=onnx.GraphProto(node=[helper.make_node("Neg", ["y"], ["z"])]))
    error = refused(model.SerializeToString() + other.SerializeToString(), tmp_path)
    assert (error.finding.rule, error.finding.nodes) == ("IN003", ("graph",))


@pytest.mark.parametrize(
    ("part", "count", "rule"),
    [
        (b"\x0a\x00", 30_001, "HX008"),  # nodes
        (b"\x2a\x00", 100_001, "HX008"),  # initializers
    ],
)
def test_more_parts_than_any_network_has_are_not_parsed(part: bytes, count: int, rule: str, tmp_path: Path) -> None:
    graph = part * count
    head, length = [0x3A], len(graph)
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    assert refused(bytes([8, 8, *head, length]) + graph, tmp_path).finding.rule == rule


@pytest.mark.parametrize(
    "damage", [b"\x0b", b"\x3c\x3c", b"\x00\x00", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_what_is_no_protobuf_is_refused(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(linear_model(even_weights()).SerializeToString() + damage)
    with pytest.raises(ModelError, match="is not an ONNX model, or is truncated"):
        read_model(tmp_path / "model.onnx")


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    data = linear_model(even_weights()).SerializeToString().replace(b"logits", b"log\xff\xfes")
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="is not an ONNX model"):
        read_model(tmp_path / "model.onnx")


def test_a_weight_that_is_an_input_too_is_noted(tmp_path: Path) -> None:
    model = linear_model(even_weights())
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [144, 10]))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (finding,) = read_model(tmp_path / "model.onnx").findings
    assert (finding.rule, finding.severity, finding.nodes) == ("IN007", "note", ("w",))
    model.ir_version = 3  # then it had to be
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert read_model(tmp_path / "model.onnx").findings == ()


def test_numbers_of_less_than_a_byte_share_one(tmp_path: Path) -> None:
    model = linear_model(even_weights())
    weights = np.arange(7)
    model.graph.initializer.append(helper.make_tensor("packed", TensorProto.INT4, [7], weights))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert read_model(tmp_path / "model.onnx").findings == ()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_every_rule_says_what_it_means_and_what_to_do(rule: object) -> None:
    texts = [getattr(rule, name) for name in ("title", "meaning", "advice")]
    assert all(texts)
    assert [text[-1] == "." for text in texts] == [False, True, True]
