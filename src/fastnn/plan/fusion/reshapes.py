"""Elementwise operations in front of a reshape instead of behind it, and no reshape there and back.

A 1-D convolution, norm or pooling is a 2-D one of images of height 1. So it stands between two
reshapes, which copy, since images are stored channels-last and sequences are not. With what lies
between two of them moved in front of the first one, they cancel: a chain of 1-D layers becomes one
of 2-D layers, which the other rewrites fuse, with a copy where it begins and one where it ends. A
ReLU behind `flatten` moves too, to the layer in front of it, and so does an activation between two
linear layers of four axes, which are computed as ones of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.add_n import AddN
from fastnn.ops.binary import Binary
from fastnn.ops.pointwise import Unary, UnaryGrad
from fastnn.ops.reshape import Reshape
from fastnn.spec import Shape, Spec

ELEMENTWISE = (AddN, Binary, Unary, UnaryGrad)


@dataclass(eq=False)
class _Group:
    """Values that are reshaped from one shape by a copy, or computed from such, by element.

    source: that shape; the one or the other is of images. copies: reshapes, there and back, that
    are copies now. needed: values that others read as reshaped, each of which is a copy when the
    rest is computed in the source's shape.
    """

    source: Shape
    values: list[Tensor] = field(default_factory=list)
    copies: int = 0
    needed: set[Tensor] = field(default_factory=set)


def elementwise_before_reshapes(graph: Graph) -> Graph:
    """Compute in the shape of the source what makes no more copies there."""
    groups = _groups(graph)
    moving = {value for value, group in groups.items() if len(group.needed) <= group.copies}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if isinstance(node.op, Reshape) and node.inputs[0] in moving:
            source = inputs[0].node.inputs
            cancels = source[0].shape == node.op.shape and node.origin.pin is None
            return source if cancels else None
        if not isinstance(node.op, ELEMENTWISE) or node.outputs[0] not in moving:
            return None
        y, sources = node.outputs[0], tuple(tensor.node.inputs[0] for tensor in inputs)
        moved = Node(node.op, sources, [Spec(sources[0].shape, y.dtype)], node.origin)
        origin = replace(node.origin, pin=None)
        return Node(Reshape(y.shape), moved.outputs, [y.spec], origin).outputs

    return graph.rewrite(rule)


def _groups(graph: Graph) -> dict[Tensor, _Group]:
    """The group of each value that is in one."""
    groups: dict[Tensor, _Group] = {}
    for node in graph.nodes:
        if _copies(node) and not _returns(node, groups):
            groups[node.outputs[0]] = _Group(node.inputs[0].shape, [node.outputs[0]], 1)
        elif _is_elementwise(node, groups):
            group = _merged([groups[tensor] for tensor in node.inputs], groups)
            group.values.append(node.outputs[0])
            groups[node.outputs[0]] = group
    for node in graph.nodes:
        inside = isinstance(node.op, ELEMENTWISE) and node.outputs[0] in groups
        for tensor in node.inputs:
            if tensor in groups and not inside:
                group = groups[tensor]
                if _returns(node, groups):
                    group.copies += 1
                else:
                    group.needed.add(tensor)
    for tensor in groups.keys() & set(graph.outputs):
        groups[tensor].needed.add(tensor)
    return groups


def _copies(node: Node) -> bool:
    return (isinstance(node.op, Reshape) and node.op.view_of(node) is None
            and node.origin.pin is None)


def _returns(node: Node, groups: dict[Tensor, _Group]) -> bool:
    """Whether a reshape leads out of a group, back to the shape of its source."""
    return (isinstance(node.op, Reshape) and node.inputs[0] in groups
            and node.op.shape == groups[node.inputs[0]].source)


def _is_elementwise(node: Node, groups: dict[Tensor, _Group]) -> bool:
    """Whether a node computes, element by element, with values reshaped from one shape alone."""
    if not isinstance(node.op, ELEMENTWISE) or not all(x in groups for x in node.inputs):
        return False
    return len({(x.shape, groups[x].source) for x in node.inputs}) == 1


def _merged(several: list[_Group], groups: dict[Tensor, _Group]) -> _Group:
    first = several[0]
    for other in several[1:]:
        if other is not first:
            first.values += other.values
            first.copies += other.copies
            groups.update(dict.fromkeys(other.values, first))
    return first
