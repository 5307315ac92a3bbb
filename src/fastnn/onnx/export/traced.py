"""The graph of a model for a batch of any size: traced for two sizes, which are then compared.

A number that differs between the two depends on the size of the batch. So a translation knows which
sizes it must not write down, and an operation that it does not know to depend on the batch is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph, Leaf, Node, Tensor
from fastnn.nn.module import Module
from fastnn.onnx.export.errors import INSTEAD, of_batch, place
from fastnn.onnx.export.fold import without_norms
from fastnn.spec import Shape, ShapeError, Spec

# Large, so that a part of constant size (x[:100]) is less than all; a prime and one that small
# numbers divide, so that a forward that asks whether they do has two graphs.
SIZES = 1009, 1020


@dataclass(frozen=True)
class Traced:
    """A graph of the model, and what its tensors and nodes are for a batch of another size.

    output: nested as the forward returns it. names: of parameters and buffers. twins: of every
    tensor, the one of the other graph; itself where only one size is exported. batch: both sizes.
    """

    graph: Graph
    output: Any
    names: Mapping[Tensor, str]
    twins: Mapping[Tensor, Tensor]
    batch: tuple[int, int]

    def shapes(self, tensor: Tensor) -> tuple[Shape, Shape]:
        """The shape for both sizes of the batch."""
        return tensor.shape, self.twins[tensor].shape

    def varies(self, tensor: Tensor, axis: int) -> bool:
        """Whether the size along an axis depends on the batch's."""
        first, second = self.shapes(tensor)
        return first[axis] != second[axis]

    def check_fixed(self, node: Node, axes: Iterable[int]) -> None:
        """ValueError if the batch lies along some axes of a node's first input."""
        for axis in axes:
            if self.varies(node.inputs[0], axis):
                raise of_batch(node, f"axis {axis} of {node.inputs[0].shape}")

    def twin(self, node: Node) -> Node:
        """The node of the other graph."""
        return self.twins[node.outputs[0]].node


def traced(model: Module, specs: Sequence[Spec], dynamic_batch: bool, fold: bool) -> Traced:
    """Trace a model in its mode of now; nothing is computed. fold: leave out batch norms.

    Raises ValueError where the graph depends on the size of the batch.
    """
    if not dynamic_batch:
        graph, output, names = _graph(model, specs, fold)
        return Traced(graph, output, names, {t: t for t in _tensors(graph)}, (1, 1))
    try:
        (graph, output, names), (other, *_) = (
            _graph(model, _resized(specs, size), fold) for size in SIZES)
    except ShapeError as error:
        raise ShapeError(f"onnx.save: the model does not take batches of {SIZES[0]} and of "
                         f"{SIZES[1]} ({error}); {INSTEAD}") from error
    _compare(graph, other)
    twins = dict(zip(_tensors(graph), _tensors(other), strict=True))
    return Traced(graph, output, names, twins, SIZES)


def _graph(
    model: Module, specs: Sequence[Spec], fold: bool
) -> tuple[Graph, Any, Mapping[Tensor, str]]:
    """The graph, the nested output and the names of the model's arrays."""
    found = trace(model, specs)
    graph = Graph.trace(found.inputs, flat(found.output))
    saved = [*model.named_parameters(), *model.named_buffers()]
    names = {value.__tensor__(): name for name, value in saved}
    return (graph, found.output, names) if not fold else _folded(graph, found.output, names)


def _folded(
    graph: Graph, output: Any, names: Mapping[Tensor, str]
) -> tuple[Graph, Any, Mapping[Tensor, str]]:
    graph, names = without_norms(graph, names)
    return graph, output, names


def _resized(specs: Sequence[Spec], size: int) -> list[Spec]:
    return [Spec((size, *spec.shape[1:]), spec.dtype) for spec in specs]


def _tensors(graph: Graph) -> list[Tensor]:
    """Every tensor, in an order that graphs of the same operations share."""
    found = list(graph.inputs)
    for node in graph.nodes:
        found += [*node.inputs, *node.outputs]
    return [*found, *graph.outputs]


def _compare(graph: Graph, other: Graph) -> None:
    """ValueError unless the graphs have the same operations, and constants of the same values."""
    same = len(graph.nodes) == len(other.nodes) and len(graph.outputs) == len(other.outputs)
    for a, b in zip(graph.nodes, other.nodes, strict=False):
        if type(a.op) is not type(b.op) or len(a.inputs) != len(b.inputs):
            same = False
        for x, y in zip(a.inputs, b.inputs, strict=False):
            if not _same_leaf(x, y):
                raise ValueError(f"onnx.save: {place(a)} reads a constant that depends on the "
                                 f"size of the batch; {INSTEAD}")
    if not same:
        raise ValueError("onnx.save: the model's operations depend on the size of the batch; "
                         f"{INSTEAD}")


def _same_leaf(x: Tensor, y: Tensor) -> bool:
    a, b = x.node.op, y.node.op
    if not (isinstance(a, Leaf) and isinstance(b, Leaf)):
        return isinstance(a, Leaf) == isinstance(b, Leaf)
    if a.kind == b.kind == "constant":
        return x.shape == y.shape and bool(np.array_equal(a.source, b.source, equal_nan=True))
    return (a.kind == b.kind and a.source is b.source) or a.kind == "input"


def check_fields(node: Node, twin: Node, varying: Sequence[str]) -> None:
    """ValueError where an argument that is not in `varying` depends on the size of the batch."""
    for field in fields(node.op):  # type: ignore[arg-type]
        if field.name not in varying:
            first, second = getattr(node.op, field.name), getattr(twin.op, field.name)
            if first != second:
                raise of_batch(node, f"its {field.name}")
