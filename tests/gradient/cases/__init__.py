"""Tables of cases: every operator that has a rule, in every form that a rule must tell apart."""

from tests.gradient.cases import (
    activations,
    arithmetic,
    convolution,
    functions,
    indexing,
    linear,
    normalization,
    opsets,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    sampling,
    scatter,
    shape,
)

CASES = [
    *activations.CASES,
    *arithmetic.CASES,
    *convolution.CASES,
    *functions.CASES,
    *indexing.CASES,
    *linear.CASES,
    *normalization.CASES,
    *opsets.CASES,
    *pooling.CASES,
    *quantization.CASES,
    *recurrent.CASES,
    *reduction.CASES,
    *resize.CASES,
    *sampling.CASES,
    *scatter.CASES,
    *shape.CASES,
]
