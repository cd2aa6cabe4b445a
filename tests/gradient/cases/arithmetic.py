"""Element-wise operators of several tensors: NumPy's broadcasting in every direction."""

import torch

from tests.gradient.support import Case, Function, case, randn

BINARY: dict[str, Function] = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}
# The other operand, for images of shape [N, 3, 4, 5].
OTHER_SHAPES = [(), (1,), (5,), (4, 1), (3, 1, 1), (1, 4, 5), (1, 3, 4, 5), (1, 1, 1, 1), (2, 1, 1, 1, 5)]


def with_weight(operator: str, shape: tuple[int, ...], swapped: bool) -> Case:
    """The image and a weight: the image itself is broadcast where the weight has more axes."""
    function = BINARY[operator]
    # Back to batch first, where a fifth axis came in front.
    tail = "t = Transpose <perm=[1, 0, 2, 3, 4]> (z)" if len(shape) == 5 else "t = Identity (z)"
    inputs = "w, x" if swapped else "x, w"

    def equivalent(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        z = function(w, x) if swapped else function(x, w)
        return z.transpose(0, 1) if len(shape) == 5 else z

    return case(
        f"{operator}({inputs}) {list(shape)}",
        f"z = {operator} ({inputs}); {tail}; y = Identity (t)",
        equivalent,
        (3, 4, 5),
        values="positive",
        w=abs(randn(*shape)) + 0.5,
    )


def with_itself(operator: str, name: str, prepared: str, equivalent: Function) -> Case:
    """Both operands depend on the image; `s` is what `prepared` makes of it."""
    return case(
        f"{operator} {name}",
        f"{prepared}; y = {operator} (x, s)",
        lambda x: BINARY[operator](x, equivalent(x)),
        (3, 4, 5),
        values="positive",
    )


def variadic(operator: str, inputs: str, function: Function) -> Case:
    return case(
        f"{operator}({inputs})",
        f"a = Tanh (x); b = ReduceMean <axes=[2, 3]> (x); y = {operator} ({inputs})",
        lambda x, w: function(x, torch.tanh(x), x.mean((2, 3), keepdim=True), w),
        (3, 4, 5),
        opset=17,
        w=randn(4, 1),
    )


def power(name: str, exponent: object, function: Function) -> Case:
    return case(f"Pow {name}", "y = Pow (x, p)", function, (3, 4), values="positive", p=exponent)


CASES = [
    *(
        with_weight(op, shape, swapped)
        for op in ("Add", "Sub")
        for shape in OTHER_SHAPES[:4]
        for swapped in (False, True)
    ),
    *(with_weight(op, shape, swapped) for op in ("Mul", "Div") for shape in OTHER_SHAPES for swapped in (False, True)),
    *(with_itself(op, "itself", "s = Identity (x)", lambda x: x) for op in ("Add", "Mul")),
    *(with_itself(op, "a function of itself", "s = Exp (x)", torch.exp) for op in BINARY),
    case(
        "Add of the batch mean",
        "m = ReduceMean <axes=[0], keepdims=1> (x); y = Add (m, x)",
        lambda x: x + x.mean(0, keepdim=True),
        (3, 4),
        opset=17,
    ),
    # Where the sizes of the image are not known, neither is that this operand has a single column.
    case(
        "Mul by columns cut at run time",
        "s = Shape <start=2, end=3> (x); one = Div (s, s); c = Slice (x, zero, one, two); y = Mul (c, x)",
        lambda x: x[:, :, :1] * x,
        (3, 4, 5),
        zero=[0],
        two=[2],
    ),
    variadic("Sum", "x", lambda x, a, b, w: x),
    variadic("Sum", "x, a, b, w", lambda x, a, b, w: x + a + b + w),
    variadic("Mean", "x", lambda x, a, b, w: x),
    variadic("Mean", "b, x, w, a", lambda x, a, b, w: (x + a + b + w) / 4),
    variadic("Max", "x", lambda x, a, b, w: x),
    variadic("Max", "x, a, b, w", lambda x, a, b, w: torch.maximum(torch.maximum(x, a), torch.maximum(b, w))),
    variadic("Min", "b, x, w, a", lambda x, a, b, w: torch.minimum(torch.minimum(x, a), torch.minimum(b, w))),
    case("Max tied", "y = Max (x, zero)", lambda x, zero: torch.maximum(x, zero), (3, 4), values="grid", zero=0.0),
    case("Min tied", "y = Min (x, zero)", lambda x, zero: torch.minimum(x, zero), (3, 4), values="grid", zero=0.0),
    # ONNX Runtime's CPU provider rounds the operands where it takes their maximum, and not where it compares them.
    case(
        "Max in half precision",
        "h = Cast <to=10> (x); t = Tanh (h); s = Sin (h); z = Max (t, s); y = Cast <to=1> (z)",
        lambda x: torch.maximum(torch.tanh(x), torch.sin(x)),
        (3, 4),
        tolerance=5e-3,
    ),
    power("square", 2.0, lambda x, p: x**2),
    power("cube", [3], lambda x: x**3),
    power("root", 0.5, lambda x, p: x**0.5),
    power("inverse", -1.0, lambda x, p: 1 / x),
    power("one exponent a column", randn(4), lambda x, p: x**p),
    case("Pow at zero", "y = Pow (x, p)", lambda x, p: x**p, (3, 4), values="grid", p=[[0.0], [1.0], [2.0]]),
    case(
        "Pow broadcasting the image",
        "z = Pow (x, p); y = Transpose <perm=[1, 0, 2]> (z)",
        lambda x, p: torch.pow(x, p).transpose(0, 1),
        (4,),
        values="positive",
        p=randn(3, 1, 4),
    ),
    case(
        "Mod by a weight",
        "y = Mod <fmod=1> (x, w)",
        lambda x, w: torch.fmod(x, w),
        (3, 4, 5),
        w=abs(randn(4, 1)) + 0.2,
    ),
    case(
        "Mod by the image",
        "y = Mod <fmod=1> (w, x)",
        lambda x, w: torch.fmod(w, x),
        (3, 4, 5),
        values="positive",
        w=3 * randn(4, 5),
    ),
    case(
        "Where by a weight",
        "m = Cast <to=9> (c); y = Where (m, x, w)",
        lambda x, c, w: torch.where(c > 0, x, w),
        (3, 4),
        c=[1.0, 0.0, 0.0, 1.0],
        w=randn(3, 1),
    ),
    case(
        "Where by the image",
        "m = Greater (x, w); e = Exp (x); y = Where (m, x, e)",
        lambda x, w: torch.where(x > w, x, x.exp()),
        (3, 4),
        w=0.3,
    ),
    case(
        "Where broadcasting the image",
        "m = Cast <to=9> (c); z = Where (m, x, x); y = Transpose <perm=[1, 0, 2]> (z)",
        lambda x, c: torch.where(c > 0, x, x).transpose(0, 1),
        (4,),
        c=[[[1.0]], [[0.0]]],
    ),
]
