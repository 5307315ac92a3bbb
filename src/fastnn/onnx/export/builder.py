"""An ONNX graph while it is written: names, initializers and nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn.graph import Leaf, Node, Tensor
from fastnn.onnx.export.errors import INSTEAD, unsupported
from fastnn.onnx.export.traced import Traced
from fastnn.spec import FLOAT, INDEX, logical_view

BATCH = "batch"


@dataclass
class Written:
    """A node of ONNX, with the names of what it reads and writes."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass
class Builder:
    """What translations write into.

    traced: the graph that is exported. opset: the version of ONNX's operators. taken: names that
    are used. layer: the path of the layer being translated.
    """

    traced: Traced
    opset: int
    layer: str = ""
    nodes: list[Written] = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)
    names: dict[Tensor, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    constants: dict[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.taken.update(self.traced.names.values())

    def name_of(self, tensor: Tensor) -> str:
        """The name of a tensor that was translated, or of a leaf, whose values are then added."""
        if tensor not in self.names:
            op = tensor.node.op
            if not isinstance(op, Leaf):
                raise unsupported(tensor.node, "is translated for its first output alone")
            values = getattr(op.source, "memory", op.source)
            array = np.array(logical_view(values, tensor.shape), order="C")
            if tensor in self.traced.names:
                self.names[tensor] = self.traced.names[tensor]
                self.initializers[self.names[tensor]] = array
            else:
                self.names[tensor] = self.constant(array)
        return self.names[tensor]

    def inputs_of(self, node: Node) -> list[str]:
        """The names of what a node reads."""
        return [self.name_of(tensor) for tensor in node.inputs]

    def emit(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> str:
        """Add a node; the name of its first output."""
        return self.emit_all(kind, inputs, outputs, **attributes)[0]

    def emit_all(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node; the names of its outputs."""
        name = self._free(f"{self.layer}/{kind}" if self.layer else kind)
        named = [name if i == 0 else self._free(f"{name}:{i}") for i in range(outputs)]
        self.nodes.append(Written(kind, name, list(inputs), named, attributes))
        return named

    def reduce(self, kind: str, x: str, axes: Iterable[int]) -> str:
        """A reduction that keeps its axes with size 1; where they are said depends on the opset."""
        if kind == "ReduceSum" or self.opset >= 18:
            return self.emit(kind, [x, self.numbers(list(axes))], keepdims=1)
        return self.emit(kind, [x], axes=list(axes), keepdims=1)

    def constant(self, array: Any, dtype: Any = None) -> str:
        """The name of an initializer with these values; equal ones are one."""
        values = np.asarray(array, dtype)
        key = values.dtype.str, values.shape, values.tobytes()
        if key not in self.constants:
            self.constants[key] = self._free("constant")
            self.initializers[self.constants[key]] = values
        return self.constants[key]

    def number(self, value: float) -> str:
        """A scalar of float32."""
        return self.constant(value, FLOAT)

    def numbers(self, values: Sequence[int]) -> str:
        """A list of int64: axes, sizes, places."""
        return self.constant(list(values), INDEX)

    def sizes(self, tensor: Tensor, keep: Sequence[int] = ()) -> str:
        """The shape of a tensor as a list that is computed, if the batch is part of it.

        keep: axes for which a 1 is enough, because what is expanded has that size already.
        """
        parts = []
        for axis, size in enumerate(tensor.shape):
            if axis in keep or not self.traced.varies(tensor, axis):
                parts.append(self.numbers([1 if axis in keep else size]))
            else:
                parts.append(self._of_batch(tensor, axis))
        if all(part in self.initializers for part in parts):
            return self.numbers([int(self.initializers[part][0]) for part in parts])
        return self.emit("Concat", parts, axis=0)

    def _of_batch(self, tensor: Tensor, axis: int) -> str:
        """A list of one size that depends on the batch's."""
        (first, second), sizes = self.traced.shapes(tensor), self.traced.batch
        times, rest = divmod(first[axis], sizes[0])
        if rest or second[axis] != times * sizes[1]:
            raise ValueError(f"onnx.save: an axis has {first[axis]} places for a batch of "
                             f"{sizes[0]} and {second[axis]} for one of {sizes[1]}; {INSTEAD}")
        batch = self.emit("Shape", [self.name_of(self.traced.graph.inputs[0])], start=0, end=1)
        return batch if times == 1 else self.emit("Mul", [batch, self.numbers([times])])

    def rename(self, old: str, new: str) -> None:
        """Call what a node writes by another name, if it is free."""
        for node in self.nodes:
            node.inputs = [new if name == old else name for name in node.inputs]
            node.outputs = [new if name == old else name for name in node.outputs]

    def without_dead(self, outputs: Sequence[str]) -> None:
        """Leave out nodes and initializers that nobody reads."""
        live, kept = set(outputs), []
        for node in reversed(self.nodes):
            if live.intersection(node.outputs):
                kept.append(node)
                live.update(node.inputs)
        self.nodes = kept[::-1]
        self.initializers = {name: values for name, values in self.initializers.items()
                             if name in live}

    def _free(self, name: str) -> str:
        found, number = name, 1
        while found in self.taken:
            number += 1
            found = f"{name}_{number}"
        self.taken.add(found)
        return found
