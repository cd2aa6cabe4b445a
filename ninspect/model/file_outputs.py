"""A model's outputs as its file declares them: what is added to a model takes none of them away."""

from __future__ import annotations

from dataclasses import dataclass

import onnx


@dataclass(frozen=True)
class FileOutputs:
    """What the file puts out, with the parts of it that onnx_ir cannot hold.

    Attributes:
        declared: names, types and shapes, in order.
        dictionaries: the nodes of scikit-learn's ZipMap, which make a list with a dictionary for each image of a
            tensor. They are no part of the prepared model, which puts out the tensor instead.
    """

    declared: tuple[onnx.ValueInfoProto, ...]
    dictionaries: tuple[onnx.NodeProto, ...]

    @classmethod
    def take(cls, proto: onnx.ModelProto) -> FileOutputs:
        """Take out of a model what onnx_ir cannot hold; it puts out the tensors behind that instead."""
        graph, declared = proto.graph, list[onnx.ValueInfoProto]()
        makers = {name: node for node in graph.node if node.op_type == "ZipMap" for name in node.output}
        for output in graph.output:
            declared.append(onnx.ValueInfoProto())
            declared[-1].CopyFrom(output)
            if (node := makers.get(output.name)) is not None:
                output.CopyFrom(onnx.ValueInfoProto(name=node.input[0]))
        taken = cls(tuple(declared), tuple(onnx.NodeProto.FromString(n.SerializeToString()) for n in makers.values()))
        for node in makers.values():
            graph.node.remove(node)
        for value in [value for value in graph.value_info if value.name in makers]:
            graph.value_info.remove(value)
        return taken

    @property
    def behind(self) -> dict[str, str]:
        """The name of each such output by that of the tensor behind it."""
        return {node.input[0]: node.output[0] for node in self.dictionaries}

    def keys(self, name: str) -> list[int | str]:
        """The keys of the dictionaries that an output holds, in the order of the classes; none of any other output."""
        for node in self.dictionaries:
            if name in node.output:
                attributes = [onnx.helper.get_attribute_value(attribute) for attribute in node.attribute]
                return [key.decode() if isinstance(key, bytes) else key for keys in attributes for key in keys]
        return []

    def restore(self, graph: onnx.GraphProto) -> None:
        """Give a graph made of the prepared model the outputs of the file, before those that were added.

        What onnx's checker wants and ONNX Runtime does not is added where the file lacks it: the name of the graph, and
        shapes of outputs.
        """
        own = {value.name: onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in graph.output}
        names = {value.name for value in self.declared}
        kept = [value if _complete(value) else own.get(value.name, value) for value in self.declared]
        del graph.output[:]
        graph.output.extend([*kept, *(value for name, value in own.items() if name not in names)])
        graph.node.extend(self.dictionaries)
        graph.name = graph.name or "graph"


def _complete(value: onnx.ValueInfoProto) -> bool:
    return not value.type.HasField("tensor_type") or value.type.tensor_type.HasField("shape")
