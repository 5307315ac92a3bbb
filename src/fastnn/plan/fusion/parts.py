"""The gradient of a tensor that is read part by part: its parts' gradients, concatenated.

Each slice's gradient is a whole tensor, 0 outside of the slice. Where slices cover an axis once, as
those of `split`, `chunk` and `unbind` do, their sum is a concatenation: one pass over memory.
"""

from __future__ import annotations

from collections import Counter

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.add_n import AddN
from fastnn.ops.concat import Concat
from fastnn.ops.slice import SliceGrad


def gradient_of_parts(graph: Graph) -> Graph:
    """A sum of slices' gradients that cover one axis becomes their concatenation."""
    readers = Counter(tensor for node in graph.nodes for tensor in node.inputs)
    readers.update(graph.outputs)

    def terms(old: Tensor, new: Tensor) -> list[Node]:
        """What is added, through sums that nothing else reads."""
        if isinstance(old.node.op, AddN) and isinstance(new.node.op, AddN) and readers[old] == 1:
            inputs = zip(old.node.inputs, new.node.inputs, strict=True)
            return [term for pair in inputs for term in terms(*pair)]
        return [new.node]

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not isinstance(node.op, AddN):
            return None
        parts = [part for pair in zip(node.inputs, inputs, strict=True) for part in terms(*pair)]
        axis = _covered_axis(parts)
        if axis is None:
            return None
        parts.sort(key=lambda part: part.op.starts[axis])  # type: ignore[attr-defined]
        joined = tuple(part.inputs[0] for part in parts)
        return Node(Concat(axis), joined, [node.outputs[0].spec], node.origin).outputs

    return graph.rewrite(rule)


def _covered_axis(parts: list[Node]) -> int | None:
    """The axis along which slices cover the whole tensor once; None if they do not."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for part in parts:
        op = part.op
        if not isinstance(op, SliceGrad) or any(step != 1 for step in op.steps):
            return None
        shape = part.inputs[0].shape
        shorter = [axis for axis, size in enumerate(op.shape) if shape[axis] != size]
        if len(shorter) != 1:
            return None
        start = op.starts[shorter[0]]
        spans.setdefault(shorter[0], []).append((start, start + shape[shorter[0]]))
    if len(spans) != 1:
        return None
    (axis, found), = spans.items()
    place = 0
    for start, end in sorted(found):
        if start != place:
            return None
        place = end
    return axis if place == parts[0].outputs[0].shape[axis] else None
