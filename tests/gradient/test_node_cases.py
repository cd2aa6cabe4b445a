"""Every rule on every combination of attributes that onnx's own node tests hold, against finite differences."""

from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator

from ninspect.errors import ModelError
from ninspect.gradient import CLASSES, GRADIENT, differentiate
from ninspect.gradient.registry import RULES
from ninspect.graph.convert import EXPANDED, prepare
from ninspect.graph.expansions import EXPANSIONS
from tests.gradient.support import Array, generator, session

# The newest that this ONNX Runtime runs. Some operators are tested in a newer one, which says the same of them.
NEWEST_OPSET = 26
FLOATS = (np.float32, np.float64)
STEP, TOLERANCE = 1e-5, 5e-3
# Tests by name, and why they are left out.
SKIPPED = {
    "*training*": "refused: the result is random, or depends on the other images",
    "test_mvn": "refused: the result depends on the other images",
    "test_einsum_batch_diagonal": "refused",
    "test_resize_*_not_larger": "refused",
    "test_resize_*_not_smaller": "refused",
    "test_scatter*_m[aiu][xnl]*": "refused",
    "test_attention_*_with_past*": "refused: the inliner knows no optional input that is left out before another",
    "test_attention_*_nonpad_*": "refused: the inliner knows no optional input that is left out before another",
    "test_attention_*_nan_robustness": "the definition divides zero by zero where a token may attend to none",
    "test_attention_*_fullymasked_*": "the definition divides zero by zero where a token may attend to none",
    "*quantizelinear*": "straight through, so the gradient is not the slope",
    "test_round": "straight through, so the gradient is not the slope",
    "test_affine_grid_*": "the reference evaluator always answers in float32",
    "test_gridsample_*": "the reference evaluator rounds positions to float32; see cases/sampling.py",
    "test_*_batchwise": "refused",
    "test_rnn_seq_length": "saturated, so that float32 knows one digit of the slope",
    "test_simple_rnn_bidirectional": "saturated, so that float32 knows one digit of the slope",
    "test_resize_downsample_scales_*_align_corners": "the reference evaluator computes something else",
}


@cache
def node_cases() -> dict[str, list[Any]]:
    """The test cases of the onnx package by operator; collecting them takes some seconds."""
    cases = defaultdict(list)
    for case in collect_testcases(None):
        assert case.model is not None
        (node, *more) = case.model.graph.node
        skipped = "_expanded" in case.name or any(fnmatch(case.name, pattern) for pattern in SKIPPED)
        if not more and not node.domain and not skipped:
            cases[node.op_type].append(case)
    return cases


def named(values: Any, data: Any) -> dict[str, Array]:
    """Tensors by name; sequences are left out."""
    pairs = [(value.name, x) for value, x in zip(values, data, strict=True) if value.type.HasField("tensor_type")]
    return {name: numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.asarray(x) for name, x in pairs}


def functional(case: Any, wrt: str, dtype: Any = None) -> onnx.ModelProto | None:
    """A model from one input to `logits` `[1, 1]`: a random linear function of the result, or of all those of a Split.

    Args:
        case: a node test of the onnx package.
        wrt: the input; the others are constants.
        dtype: what floats become.

    Returns:
        None where the result is no float.
    """
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    constants = {name: x for name, x in named(graph.input, inputs).items() if name != wrt} | {"flat": np.array([1, -1])}
    results = [(name, y) for name, y in named(graph.output, outputs).items() if y.dtype in FLOATS and y.size]
    nodes, terms = list(graph.node), []
    for name, y in results if graph.node[0].op_type == "Split" else results[:1]:
        constants[f"{name}_weight"] = generator(case.name + name).standard_normal((y.size, 1)).astype(y.dtype)
        nodes.append(helper.make_node("Reshape", [name, "flat"], [f"{name}_flat"]))
        nodes.append(helper.make_node("MatMul", [f"{name}_flat", f"{name}_weight"], [f"{name}_term"]))
        terms.append(f"{name}_term")
    if not terms:
        return None
    nodes.append(helper.make_node("Sum", terms, ["logits"]))
    tensors = [
        numpy_helper.from_array(x.astype(dtype) if dtype is not None and x.dtype in FLOATS else x, name)
        for name, x in constants.items()
    ]
    opset = helper.make_opsetid("", min(case.model.opset_import[0].version, NEWEST_OPSET))
    logits = helper.make_tensor_value_info("logits", helper.np_dtype_to_tensor_dtype(results[0][1].dtype), [1, 1])
    image = [value for value in graph.input if value.name == wrt]
    return helper.make_model(
        helper.make_graph(nodes, case.name, image, [logits], tensors), opset_imports=[opset], ir_version=10
    )


def off_the_kinks(x: Array, random: np.random.Generator) -> Array:
    """Every number a little smaller, or no longer zero, by its own amount: none is at a kink, and no two are equal."""
    amount = 0.02 * random.random(x.shape)
    return np.where(x == 0, amount, x * (1 - amount)).astype(x.dtype)


def disagreements(case: Any) -> Iterator[str | None]:
    """For every float input that a gradient is possible of: what is wrong with the gradient, or None."""
    inputs = named(case.model.graph.input, case.data_sets[0][0])
    expanded = case.model.graph.node[0].op_type in EXPANDED
    for name, given in islice(inputs.items(), 1 if expanded else None):
        model = functional(case, name) if given.dtype in FLOATS and given.size else None
        if model is None:
            continue
        random = generator(case.name)
        x = off_the_kinks(given, random)
        direction = random.standard_normal(x.shape) * np.maximum(np.abs(x), 0.1)
        logits = output(model, name, x)
        if logits is None:
            continue
        try:
            augmented = differentiate(prepare(model), name, "logits", 1)
        except ModelError as refusal:
            if not any(reason in str(refusal) for reason in ("depends on the image", "in a way that has a gradient")):
                yield f"{case.name}, {name}: {refusal}"
            continue
        feed = {name: x, CLASSES: np.zeros((1, 1), np.int64)}
        products = session(ir.to_proto(augmented)).run([GRADIENT], feed)[0][0].astype(np.float64) * direction
        precise = ReferenceEvaluator(functional(case, name, np.float64))
        after, before = (np.asarray(precise.run(None, {name: x + h * direction})).item() for h in (STEP, -STEP))
        assert abs((after + before) / 2 - logits) < 2e-3 * max(1, abs(logits)), f"{case.name} is evaluated differently"
        error = abs((after - before) / (2 * STEP) - products.sum()) / (np.abs(products).sum() + 1e-12)
        yield None if error < TOLERANCE else f"{case.name}, {name}: gradient and slope differ by {error}"


def output(model: onnx.ModelProto, name: str, x: Array) -> float | None:
    """What ONNX Runtime computes; None where it has no kernel for this form, or the result is not a number."""
    try:
        logits = session(model).run(None, {name: x})[0].item()
    except Exception:
        return None
    return logits if np.isfinite(logits) else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", sorted({*RULES, *EXPANDED, *EXPANSIONS}))
def test_the_gradient_is_the_slope(operator: str) -> None:
    checked = [wrong for case in node_cases()[operator] for wrong in disagreements(case)]
    if not checked:
        pytest.skip("onnx has no test of it that applies")
    assert [wrong for wrong in checked if wrong is not None] == []
