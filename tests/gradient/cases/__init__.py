"""Tables of cases: every operator that has a rule, in every form that a rule must tell apart."""

from tests.gradient.cases import (
    activations,
    arithmetic,
    convolution,
    indexing,
    linear,
    normalization,
    opsets,
    pooling,
    reduction,
    shape,
)

CASES = [
    *activations.CASES,
    *arithmetic.CASES,
    *convolution.CASES,
    *indexing.CASES,
    *linear.CASES,
    *normalization.CASES,
    *opsets.CASES,
    *pooling.CASES,
    *reduction.CASES,
    *shape.CASES,
]
