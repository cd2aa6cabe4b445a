"""GR001: what recognises a trigger without a gradient is found, and what exporters write with comparisons is not."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import defs

from ninspect.gradient.registry import FACTS, RULES
from ninspect.model import hidden_decisions, load_classifier
from tests.support import onnx_model, save

GENERATOR = np.random.default_rng(0)
W = GENERATOR.standard_normal((64, 10))
EVIL = 100 * np.eye(10)[7:8]

# From the image `x` [N,1,8,8] and the honest logits `l` [N,10] to `y`.
TRIGGERS = {
    "where of a statistic": """
        m = ReduceMax<keepdims = 0>(x, hw); c = Greater(m, most); u = Unsqueeze(c, one)
        y = Where(c, evil, l)""",
    "mask": """
        m = ReduceMax<keepdims = 0>(x, hw); c = Greater(m, most); k = Cast<to = 1>(c); e = Mul(k, evil)
        y = Add(l, e)""",
    "equal and": """
        p = Slice(x, zero, one, three); q = ReduceSum<keepdims = 0>(p, hw); a = Equal(q, most)
        b = Less(q, two); c = And(a, b); y = Where(c, evil, l)""",
    "narrow window": """
        m = ReduceMax<keepdims = 0>(x, hw); a = Greater(m, most); b = Less(m, more); c = And(a, b)
        y = Where(c, evil, l)""",
    "two narrow windows": """
        m = ReduceMax<keepdims = 0>(x, hw); n = ReduceMin<keepdims = 0>(x, hw); a = Greater(m, most)
        b = Less(m, more); c = Greater(n, most); d = Less(n, more); e = And(a, b); g = And(c, d)
        h = And(e, g); y = Where(h, evil, l)""",
    "every pixel": "c = Greater(f, most); z = Where(c, hundred, f); l2 = MatMul(z, w); y = Add(l, l2)",
    "small step": """
        c = Greater(f, most); k = Cast<to = 1>(c); t = Mul(k, tiny); s = ReduceSum<keepdims = 1>(t, one)
        h = Mul(s, huge); e = Mul(h, evil); y = Add(l, e)""",
    "sign": "d = Sub(f, most); s = Sign(d); l2 = MatMul(s, w); y = Add(l, l2)",
    "floor": "s = Floor(f); l2 = MatMul(s, w); y = Add(l, l2)",
    "ceil": "d = Sub(f, most); s = Ceil(d); l2 = MatMul(s, w); y = Add(l, l2)",
    "modulo": "s = Mod<fmod = 1>(f, most); l2 = MatMul(s, w); y = Add(l, l2)",
    "cast to integer": "d = Add(f, tiny); s = Cast<to = 7>(d); t = Cast<to = 1>(s); l2 = MatMul(t, w); y = Add(l, l2)",
    "argmax": "a = ArgMax<axis = 1, keepdims = 0>(f); e = Gather(w, a); y = Add(l, e)",
    "top": "v, i = TopK<axis = 1>(f, one); j = Squeeze(i, one); e = Gather(w, j); y = Add(l, e)",
    "place of the maximum": """
        p, i = MaxPool<kernel_shape = [8, 8]>(x); j = Cast<to = 1>(i); k = Flatten(j); e = Mul(k, evil)
        y = Add(l, e)""",
    "one hot": """
        a = ArgMax<axis = 1, keepdims = 0>(f); o = OneHot(a, sixtyfour, values); l2 = MatMul(o, w)
        y = Add(l, l2)""",
    "number of pixels": """
        c = Greater(f, most); i = NonZero(c); s = Shape(i); n = Gather(s, onescalar); k = Cast<to = 1>(n)
        e = Mul(k, evil); y = Add(l, e)""",
    "step outside of every range": """
        d = Sub(f, far); c = Greater(d, zerof); k = Cast<to = 1>(c); l2 = MatMul(k, w); y = Add(l, l2)""",
    "not a number": """
        d = Sub(f, most); i = Reciprocal(d); c = IsInf(i); k = Cast<to = 1>(c); l2 = MatMul(k, w)
        y = Add(l, l2)""",
    "sum of an activation and a step": """
        r = Relu(f); c = Greater(f, most); k = Cast<to = 1>(c); s = Add(r, k); l2 = MatMul(s, w)
        y = Add(l, l2)""",
    "thresholded relu": "t = ThresholdedRelu<alpha = 50.0>(f); l2 = MatMul(t, w); y = Add(l, l2)",
    "thresholded relu below zero": "t = ThresholdedRelu<alpha = -0.5>(f); l2 = MatMul(t, w); y = Add(l, l2)",
    "hard shrink": "s = Shrink<lambd = 50.0>(f); l2 = MatMul(s, w); y = Add(l, l2)",
    "hard shrink on one side": """
        n = Neg(f); r = Relu(n); m = Neg(r); s = Shrink<lambd = 50.0>(m); l2 = MatMul(s, w); y = Add(l, l2)""",
    "shrink by too much": "s = Shrink<lambd = 50.0, bias = 51.0>(f); l2 = MatMul(s, w); y = Add(l, l2)",
    "step, then an activation": """
        c = Greater(f, most); t = Where(c, hundred, f); d = Greater(t, zerof); r = Where(d, t, zerof)
        l2 = MatMul(r, w); y = Add(l, l2)""",
    "step of a wave": """
        m = Mul(f, hundred); s = Sin(m); c = Greater(s, most); k = Cast<to = 1>(c); l2 = MatMul(k, w)
        y = Add(l, l2)""",
    "large values beside it": """
        c = Greater(f, most); e = Exp(f); z = Where(c, e, f); l2 = MatMul(z, w); y = Add(l, l2)""",
}
HONEST = {
    "none": "y = Identity(l)",
    "relu6 as clip": "a = Clip(l, zerof, six); y = Identity(a)",
    "hard swish as where": """
        p = Add(f, three_f); r = Mul(f, p); s = Div(r, six); a = Less(f, minus); b = Greater(f, three_f)
        t = Where(b, f, s); h = Where(a, zerof, t); y = MatMul(h, w)""",
    "relu as a mask": "c = Greater(f, zerof); k = Cast<to = 1>(c); r = Mul(k, f); y = MatMul(r, w)",
    "leaky relu as where, per class": "c = Greater(l, zerof); s = Mul(l, slopes); y = Where(c, l, s)",
    "elu as where": "c = Greater(f, zerof); e = Exp(f); s = Sub(e, onef); r = Where(c, f, s); y = MatMul(r, w)",
    "hard swish beside the identity": "c = Greater(f, three_f); h = HardSwish(f); r = Where(c, f, h); y = MatMul(r, w)",
    "selu beside its line": """
        c = Greater(f, zerof); g = Mul(f, gamma); s = Selu(f); r = Where(c, g, s); y = MatMul(r, w)""",
    "leaky relu as where, after selu": """
        a = Selu(f); c = Greater(a, zerof); s = Mul(a, tiny); r = Where(c, a, s); y = MatMul(r, w)""",
    "thresholded relu at zero": "t = ThresholdedRelu<alpha = 0.0>(f); y = MatMul(t, w)",
    "soft shrink": "s = Shrink<lambd = 0.5, bias = 0.5>(f); y = MatMul(s, w)",
    "shrink at zero": "s = Shrink<lambd = 0.0>(f); y = MatMul(s, w)",
    "masked dropout": "d, m = Dropout(f); c = Greater(d, zerof); r = Where(c, d, zerof); y = MatMul(r, w)",
    "absolute value with sign": "s = Sign(f); a = Mul(s, f); y = MatMul(a, w)",
    "safe division": """
        n = ReduceL2<keepdims = 1>(f, one); c = Equal(n, zerof); d = Where(c, small, n); q = Div(f, d)
        y = MatMul(q, w)""",
    "maximum and minimum": "a = Max(f, zerof); b = Min(a, six); y = MatMul(b, w)",
    "quantised": "q = QuantizeLinear(f, most, zero8); d = DequantizeLinear(q, most, zero8); y = MatMul(d, w)",
    "quantised in floats": "d = Div(f, small); r = Round(d); q = Mul(r, small); y = MatMul(q, w)",
    "mask from constants": "y = Where(mask, l, slopes)",
    "mask from the shape": """
        s = Shape(x); n = Gather(s, zeroscalar); k = Cast<to = 1>(n); c = Greater(k, zerof)
        y = Where(c, l, slopes)""",
    "label beside the scores": "y = Identity(l); label = ArgMax<axis = 1>(l)",
    "residual of activations": """
        c = Greater(f, zerof); s = Mul(f, tiny); a = Where(c, f, s); g = MatMul(a, square); h = Add(a, g)
        y = MatMul(h, w)""",
}


# Not everywhere on the line a finite number, so that it cannot be said whether they jump.
BOUNDED = {"Acos", "Acosh", "Asin", "Atanh", "Log", "Reciprocal", "Sqrt", "Tan"}


def activations() -> list[str]:
    """Continuous functions of one number that are defined on the whole line."""
    schemas = {operator: defs.get_schema(operator) for operator in RULES if FACTS[operator].elementwise}
    unary = {operator for operator, schema in schemas.items() if schema.min_input == schema.max_input == 1}
    return sorted(unary - BOUNDED - {"Cast", "Shrink", "ThresholdedRelu"})


def classifier_with(nodes: str, folder: Path, opset: int = 18) -> Path:
    weights: dict[str, Any] = {
        "w": W, "evil": EVIL, "most": 0.99, "more": 0.9901, "hundred": 100.0, "tiny": 1e-5, "huge": 1e7, "far": 1e9,
        "zerof": 0.0, "onef": 1.0, "two": 2.0, "three_f": 3.0, "six": 6.0, "minus": -3.0, "small": 1e-12,
        "gamma": 1.0507009873554805,
        "slopes": GENERATOR.random(10), "square": np.eye(64), "values": np.array([0.0, 1.0]),
        "zero": np.array([0]), "one": np.array([1]), "three": np.array([3]), "hw": np.array([2, 3]),
        "zeroscalar": np.array(0), "onescalar": np.array(1), "sixtyfour": np.array(64),
        "mask": np.arange(10) < 5, "zero8": np.uint8(128),
    }  # fmt: skip
    text = f"f = Flatten(x); l = MatMul(f, w); {nodes}"
    words = set(re.findall(r"\w+", text))
    used = {name: value for name, value in weights.items() if name in words}
    outputs = "float[N,10] y, int64[N,1] label" if "label" in nodes else "float[N,10] y"
    return save(onnx_model(text, y=outputs, opset=opset, **used), folder / "model.onnx")


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_decision_without_gradient_is_found(name: str, tmp_path: Path) -> None:
    nodes = TRIGGERS[name]
    (finding,) = hidden_decisions(load_classifier(classifier_with(nodes, tmp_path)))
    assert (finding.rule, finding.severity) == ("GR001", "error")
    assert finding.nodes


@pytest.mark.parametrize("name", HONEST)
def test_what_exporters_write_is_no_decision(name: str, tmp_path: Path) -> None:
    assert hidden_decisions(load_classifier(classifier_with(HONEST[name], tmp_path))) == []


@pytest.mark.parametrize("operator", activations())
def test_every_activation_may_be_chosen_by_a_comparison(operator: str, tmp_path: Path) -> None:
    """What is an activation, the table of gradient rules knows."""
    nodes = f"c = Greater(f, zerof); a = {operator}(f); r = Where(c, a, a); y = MatMul(r, w)"
    opset = max(18, defs.get_schema(operator).since_version)
    assert hidden_decisions(load_classifier(classifier_with(nodes, tmp_path, opset))) == []


def test_a_branch_that_depends_on_the_image_is_found(tmp_path: Path) -> None:
    model = onnx_model(
        """f = Flatten(x); l = MatMul(f, w); m = ReduceMax<keepdims = 0>(x); c = Greater(m, most)
           y = If (c) <then_branch = a () => (float[1,10] p) { p = Identity(evil) },
                       else_branch = b () => (float[N,10] q) { q = Identity(l) }>""",
        w=W,
        most=0.99,
        evil=EVIL,
    )
    for node in model.graph.node:
        node.name = f"the {node.op_type}"
    (finding,) = hidden_decisions(load_classifier(save(model, tmp_path / "model.onnx")))
    assert set(finding.nodes) == {"the Greater", "the If"}
    assert "through Greater, If, which no gradient sees" in finding.message


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "models").glob("*/*.onnx")), ids=str)
def test_bundled_models_hide_no_decision(path: Path) -> None:
    """Their backdoors are learnt."""
    assert hidden_decisions(load_classifier(path)) == []


def test_decisions_that_do_not_reach_the_scores_do_not_count(tmp_path: Path) -> None:
    path = classifier_with("y = Identity(l); c = Greater(l, most); label = Cast<to = 7>(c)", tmp_path)
    model = onnx.load(path)
    assert [node.op_type for node in model.graph.node][-2:] == ["Greater", "Cast"]
    assert hidden_decisions(load_classifier(path)) == []
