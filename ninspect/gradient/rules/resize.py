"""Resize: interpolation is linear and separable, so its adjoint is one matrix product along each resized axis."""

from __future__ import annotations

import onnx_ir as ir

from ninspect.gradient.registry import vjp
from ninspect.graph.node import Node
from ninspect.graph.writer import Ops, Tensor

# What decides where a pixel of y lies in x, and how its neighbours are weighed.
_SETTINGS = (
    "antialias",
    "coordinate_transformation_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "mode",
    "nearest_mode",
)


@vjp("Resize", shape_from=1)
def resize(op: Ops, node: Node, ybar: Tensor) -> list[Tensor | None]:
    """x̄ = ȳ·M along each resized axis; column i of M is what the node makes of the unit vector eᵢ.

    Raises:
        ModelError: it keeps the aspect ratio of the image.
    """
    rank = node.x.rank
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("it keeps the aspect ratio of the image; export the model with the sizes it resizes to")
    axes = [axis % rank for axis in node.attribute("axes", range(rank))]
    for place, axis in enumerate(axes):
        if not _is_copied(node, axis, place):
            matrix = _matrix(op, node, axis, place, len(axes))
            ybar = op.along_axis(ybar, op.cast(matrix, ybar), axis - rank, rank)
    return [ybar, None, None, None][: len(node.inputs)]


def _is_copied(node: Node, axis: int, place: int) -> bool:
    """Whether the axis is known to keep its size, and with it its values."""
    if node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize":
        return False
    scales = _given(node, 2)
    if scales is not None and scales.constant is not None:
        return bool(scales.constant[place] == 1)
    before, after = node.x.symbols[axis], node.y.symbols[axis]
    return before is not None and before == after


def _given(node: Node, index: int) -> Tensor | None:
    """An optional input; exporters also leave one out by giving an empty vector."""
    tensor = node.optional(index)
    return None if tensor is None or tensor.dims == (0,) else tensor


def _matrix(op: Ops, node: Node, axis: int, place: int, places: int) -> Tensor:
    """The map along one axis, `[size in y, size in x]`: the node itself resizes the unit vectors.

    They are images of one row, which becomes two: ONNX Runtime copies an image whose size stays the same, whatever the
    settings say.

    Args:
        op: where nodes go.
        node: the Resize node.
        axis: the axis of x.
        place: where the inputs of the node speak of this axis.
        places: of how many axes they speak.
    """
    size = op.size(node.x, axis)
    identity = op.selection_matrix(op.positions(size), size, like=op.const(0.0, ir.DataType.FLOAT))
    roi, scales = _given(node, 1), _given(node, 2)
    if roi is not None:
        begin, end = op.Gather(roi, [place]), op.Gather(roi, [place + places])
        roi = op.Concat(op.const([0], roi.dtype), begin, op.const([1], roi.dtype), end, axis=0)
    if scales is not None:
        scales = op.Concat(op.const([2], scales.dtype), op.Gather(scales, [place]), axis=0)
    sizes = op.vector(2, op.size(node.y, axis)) if scales is None else None
    settings = {name: node.attribute(name) for name in _SETTINGS}
    images = op.Resize(op.Unsqueeze(identity, [1, 2]), roi, scales, sizes, axes=[2, 3], **settings)
    return op.Transpose(op.Squeeze(op.Slice(images, [0], [1], [2]), [1, 2]), perm=[1, 0])
