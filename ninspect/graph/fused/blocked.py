"""The layout NCHWc, which ONNX Runtime's convolutions use on x86: blocks of 8 or 16 channels lie together.

Only the order of the numbers in memory differs, which graphs cannot see, and the channels are filled up to whole
blocks. So all operators are those of the standard, on filled tensors; weights are stored in the order of blocks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper

from ninspect.graph.fused.linear import convolution
from ninspect.graph.fused.parts import Fused


def same(fused: Fused) -> list[ir.Value]:
    """y = the operator of the standard with the same name."""
    return [fused(fused.operator, *fused.inputs, **fused.attributes())]


def conv(fused: Fused) -> list[ir.Value]:
    """y = f(x ⋆ w + b + z), with w in the order of blocks.

    Raises:
        ModelError: its weights are not constant or have other blocks than those of this processor, or it was fused
            with an unknown activation.
    """
    stored = fused.constant(1)
    block = block_size()
    outputs, inputs, *kernel = stored.shape
    if outputs % block or (inputs > block and inputs % block):
        raise fused.refuse(
            f"its weights are in the order of another processor than this one, whose blocks have {block}"
        )
    depthwise = inputs == 1 and outputs == fused.attribute("group", 1)
    if depthwise or inputs < block:
        weights = stored.reshape(outputs // block, inputs, *kernel, block).transpose(0, 4, 1, 2, 3)
    else:
        blocks = stored.reshape(outputs // block, inputs // block, *kernel, block, block)
        weights = blocks.transpose(0, 5, 1, 4, 2, 3)
    return convolution(fused, fused.array(np.ascontiguousarray(weights.reshape(stored.shape))))


def reorder_input(fused: Fused) -> list[ir.Value]:
    """y = x with its channels in the second place, filled up with zeros to whole blocks."""
    x = fused("Transpose", fused.x, perm=[0, 3, 1, 2]) if fused.attribute("channels_last", 0) else fused.x
    # Folded to a constant as soon as the number of channels is known.
    missing = fused("Mod", fused("Neg", fused("Shape", x, start=1, end=2)), fused.array([block_size()]))
    pads = fused("Concat", fused.array([0] * 5), missing, fused.array([0] * 2), axis=0)
    return [fused("Pad", x, pads)]


def reorder_output(fused: Fused) -> list[ir.Value]:
    """y = the channels of x that are not filling, in the second place or the last."""
    y = fused("Slice", fused.x, *(fused.array([number]) for number in (0, fused.attribute("channels"), 1)))
    return [fused("Transpose", y, perm=[0, 2, 3, 1]) if fused.attribute("channels_last", 0) else y]


def upsample(fused: Fused) -> list[ir.Value]:
    """y = x enlarged by whole numbers."""
    scales = fused.array(np.asarray(fused.attribute("scales"), np.float32))
    attributes = fused.attributes("scales")
    if fused.attribute("mode", "nearest") == "nearest":
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        attributes.setdefault("coordinate_transformation_mode", "asymmetric")
    return [fused("Resize", fused.x, None, scales, **attributes)]


@cache
def block_size() -> int:
    """How many channels lie together, which is what ONNX Runtime fills four of them up to; 1 where it has no blocks."""
    import onnxruntime

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 1, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain="com.microsoft.nchwc")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft.nchwc", 1)]
    model = helper.make_model(helper.make_graph([node], "blocks", [x], [y]), ir_version=8, opset_imports=opsets)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (reordered,) = session.run(None, {"x": np.zeros((1, 4, 1, 1), np.float32)})
    return int(np.asarray(reordered).shape[1])
