"""MatMul and Gemm: NumPy's rules for vectors and batches, and every attribute of Gemm."""

from typing import Any

import torch

from tests.gradient.support import Case, Function, case, randn


def matmul(shape: tuple[int, ...], weight: tuple[int, ...]) -> Case:
    """Image times weight."""
    return case(f"MatMul {shape}·{list(weight)}", "y = MatMul (x, w)", lambda x, w: x @ w, shape, w=randn(*weight))


def matmul_left(weight: tuple[int, ...], shape: tuple[int, ...]) -> Case:
    """Weight times image."""
    return case(f"MatMul {list(weight)}·{shape}", "y = MatMul (w, x)", lambda x, w: w @ x, shape, w=randn(*weight))


def both(name: str, nodes: str, function: Function, shape: tuple[int, ...] = (3, 4, 5)) -> Case:
    return case(f"MatMul {name}", nodes, function, shape, opset=17)


def gemm(attributes: str, inputs: str, function: Function, shape: tuple[int, ...] = (5,), **weights: Any) -> Case:
    return case(f"Gemm {attributes} ({inputs})", f"y = Gemm {attributes} ({inputs})", function, shape, **weights)


def einsum(equation: str, *weight: int, shape: tuple[int, ...] = (3, 4)) -> Case:
    """The image and a weight, or the image alone."""
    inputs = "x, w" if weight else "x"
    weights: dict[str, Any] = {"w": randn(*weight)} if weight else {}
    return case(
        f"Einsum {equation} {list(weight)}",
        f'y = Einsum <equation="{equation}"> ({inputs})',
        lambda x, w=None: torch.einsum(equation, *([x] if w is None else [x, w])),
        shape,
        **weights,
    )


CASES = [
    matmul((5,), (5, 4)),
    matmul((3, 5), (5,)),
    matmul((3, 5), (5, 4)),
    matmul((3, 4, 5), (5, 2)),
    matmul((3, 4, 5), (3, 5, 2)),
    matmul((3, 4, 5), (1, 3, 5, 2)),
    matmul((1, 4, 5), (3, 5, 2)),
    matmul((4, 5), (1, 5, 2)),
    matmul_left((4, 3), (3, 5)),
    matmul_left((4,), (4, 5)),
    matmul_left((2, 4), (3, 4, 5)),
    matmul_left((3, 2, 4), (3, 4, 5)),
    matmul_left((3, 2, 4), (1, 4, 5)),
    matmul_left((1, 2, 4), (4, 5)),
    case(
        "MatMul repeats the batch",
        "z = MatMul (x, w); y = Transpose <perm=[1, 0, 2, 3]> (z)",
        lambda x, w: (x @ w).transpose(0, 1),
        (4, 5),
        w=randn(3, 1, 5, 2),
    ),
    case(
        "MatMul of a vector and a batch",
        "v = ReduceMean <axes=[0], keepdims=0> (x); z = MatMul (v, w); t = Transpose (z); y = MatMul (x, t)",
        lambda x, w: x @ (x.mean(0) @ w).T,
        (4,),
        opset=17,
        w=randn(3, 4, 4),
    ),
    both("with its transpose", "t = Transpose <perm=[0, 1, 3, 2]> (x); y = MatMul (x, t)", lambda x: x @ x.mT),
    both("with a function of itself", "t = Tanh (x); y = MatMul (x, t)", lambda x: x @ x.tanh(), (4, 4)),
    both(
        "with one head for all",
        "h = ReduceMean <axes=[1], keepdims=1> (x); t = Transpose <perm=[0, 1, 3, 2]> (h); y = MatMul (x, t)",
        lambda x: x @ x.mean(1, keepdim=True).mT,
    ),
    both(
        "with the mean of the batch",
        "h = ReduceMean <axes=[0], keepdims=0> (x); y = MatMul (x, h)",
        lambda x: x @ x.mean(0),
        (4, 4),
    ),
    both(
        "of a matrix and a vector of the image",
        "v = ReduceMean <axes=[0, 1], keepdims=0> (x); y = MatMul (x, v)",
        lambda x: x @ x.mean((0, 1)),
        (4, 5),
    ),
    # y = α·A'·B' + β·C
    gemm("", "x, b", lambda x, b: x @ b, b=randn(5, 3)),
    gemm("", "x, b, c", lambda x, b, c: x @ b + c, b=randn(5, 3), c=randn(3)),
    gemm("<transB=1>", "x, b, c", lambda x, b, c: x @ b.T + c, b=randn(3, 5), c=randn(1, 3)),
    gemm("<alpha=0.5, beta=2.0, transB=1>", "x, b, c", lambda x, b, c: 0.5 * x @ b.T + 2 * c, b=randn(3, 5), c=0.7),
    case(
        "Gemm transposed image",
        "t = Transpose (x); y = Gemm <transA=1, alpha=0.5> (t, b)",
        lambda x, b: 0.5 * x @ b,
        (5,),
        b=randn(5, 3),
    ),
    case(
        "Gemm image on the right",
        "t = Transpose (x); z = Gemm <alpha=3.0> (a, t); y = Transpose (z)",
        lambda x, a: (3 * a @ x.T).T,
        (5,),
        a=randn(4, 5),
    ),
    case(
        "Gemm image on the right, transposed",
        "z = Gemm <transA=1, transB=1, alpha=3.0> (a, x); y = Transpose (z)",
        lambda x, a: (3 * a.T @ x.T).T,
        (5,),
        a=randn(5, 4),
    ),
    *(
        case(
            f"Gemm of the image and itself, transA={a} transB={b}",
            f"t = Transpose (x); s = Tanh (x); u = Transpose (s); "
            f"z = Gemm <transA={a}, transB={b}, alpha=0.5> ({'t' if a else 'x'}, {'s' if b else 'u'}); "
            f"y = MatMul (z, x)",
            lambda x: 0.5 * x @ x.tanh().T @ x,
            (5,),
        )
        for a in (0, 1)
        for b in (0, 1)
    ),
    case(
        "Gemm bias from the image",
        "c = ReduceMean <axes=[0], keepdims=0> (x); y = Gemm <beta=0.5> (x, b, c)",
        lambda x, b: x @ b + 0.5 * x.mean(0),
        (5,),
        opset=17,
        b=randn(5, 5),
    ),
    # Einsum
    einsum("nij->nji"),
    einsum("nij->nj"),
    einsum("bji"),
    einsum("...ij->...ji"),
    einsum("nij,jk->nik", 4, 5),
    einsum("bij,jk", 4, 5),
    einsum("nij, ij -> ni", 3, 4),
    einsum("nij,k->nik", 5),
    einsum("nij,kl->nkj", 5, 2),
    einsum("nhqd,hkd->nhqk", 2, 5, 4, shape=(2, 3, 4)),
    einsum("n...j,j...->n...", 4, 3),
    einsum("...i,ik->...k", 4, 5),
    einsum("nij,nij->nj", 1, 3, 1),
    einsum("nij,zij->nij", 2, 1, 4),
    *(
        case(
            f"Einsum {equation} of the image alone",
            f't = Tanh (x); e = Sin (x); y = Einsum <equation="{equation}"> (x, t, e)',
            lambda x, equation=equation: torch.einsum(equation, x, x.tanh(), x.sin()),
            (3, 4),
        )
        for equation in ("nij,nkj,nkl->nil", "bij,bij,bij->bi", "...ij,...kj,...kl->...il")
    ),
]
