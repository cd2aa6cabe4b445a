"""What a file calls its classes: the table behind the operator that picks one, the same for every image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.model.order import VIEWS

_SHOWN = 4  # pairs of a message


def renamed(nodes: Sequence[ir.Node], classes: int) -> NDArray[Any] | None:
    """What each class is called, `[K]` numbers or text, by the nodes behind its number; None if that is not known.

    Raises:
        IndexError: a table is shorter than the classes.
    """
    names: NDArray[Any] = np.arange(classes)
    for node in nodes:
        if node.op_type in ("Gather", "ArrayFeatureExtractor"):
            table = None if node.inputs[0] is None else ir.convenience.get_const_tensor(node.inputs[0])
            axis = node.attributes.get("axis")
            if table is None or (axis is not None and axis.as_int()) or names.dtype.kind not in "iu":
                return None
            names = np.asarray(table.numpy()).reshape(-1)[names]
        elif node.op_type in ("Add", "Sub"):
            by = None if node.inputs[1] is None else ir.convenience.get_const_tensor(node.inputs[1])
            if by is None or by.size != 1 or names.dtype.kind not in "iuf":
                return None
            names = names + by.numpy().item() * (1 if node.op_type == "Add" else -1)
        elif node.op_type == "LabelEncoder":
            encoded = _encoder(node)
            if encoded is None or not encoded.keys() >= {*names.tolist()}:
                return None
            names = np.array([encoded[name] for name in names.tolist()])
        elif node.op_type not in VIEWS:
            return None
    return names


def _encoder(node: ir.Node) -> dict[Any, Any] | None:
    """What a LabelEncoder makes of each of its keys."""
    given = {name.partition("_")[0]: attribute.value for name, attribute in node.attributes.items()}
    keys, values = given.get("keys"), given.get("values")
    if keys is None or values is None:
        return None
    tables = (one.numpy().tolist() if isinstance(one, ir.TensorProtocol) else list(one) for one in (keys, values))
    return dict(zip(*tables, strict=False))


def told(names: Sequence[int | float | str]) -> str:
    """Those of the classes that are numbered otherwise; empty where none is.

    >>> told([0, 2, 1])
    'class 1 is 2, class 2 is 1'
    """
    other = [f"class {label} is {name}" for label, name in enumerate(names) if name != label]
    more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    return ", ".join(other[:_SHOWN]) + more
