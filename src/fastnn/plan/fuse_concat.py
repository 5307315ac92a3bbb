"""Convolutions of joined inputs: their gradients part by part, so that nothing joined is needed.

As in a U-Net, whose skips are joined with what comes from below. The joined value is then not kept
for the backward pass, and its gradient is never made to be cut apart. Where Winograd computes the
whole and each part, parts take no more products.
"""

from __future__ import annotations

from itertools import pairwise

from fastnn.context import scope
from fastnn.graph import Graph, Node, Tensor, apply
from fastnn.ops.concat import Concat
from fastnn.ops.conv2d import Conv2dGradInput, Conv2dGradWeight
from fastnn.ops.slice import Slice

CHANNELS = 1


def by_winograd(node: Node) -> bool:
    """Whether the node's kernel is one of Winograd's."""
    return node.op.lower(node)[0].kernel.startswith("winograd")


def parts_of_grad_weight(graph: Graph) -> Graph:
    """The weight's gradient from each part of the input, and then joined."""
    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op = node.op
        joined = inputs[0].node if inputs else node
        if not (isinstance(op, Conv2dGradWeight) and by_winograd(node)
                and isinstance(joined.op, Concat) and joined.op.axis == CHANNELS):
            return None
        outputs, _, *size = op.shape
        with scope(node.scope):
            parts = [apply(Conv2dGradWeight(op.window, (outputs, x.shape[CHANNELS], *size)), x,
                           inputs[1]) for x in joined.inputs]
            whole = apply(joined.op, *parts)
        return (whole,) if all(by_winograd(part.node) for part in parts) else None

    return graph.rewrite(rule)


def parts_of_grad_input(graph: Graph) -> Graph:
    """The gradient of each part of the input by itself, where the whole is only cut apart."""
    readers: dict[Tensor, list[Node]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
    apart = {node.outputs[0] for node in graph.nodes
             if isinstance(node.op, Conv2dGradInput) and by_winograd(node)
             and node.outputs[0] not in graph.outputs
             and _are_parts(node, readers.get(node.outputs[0], []))}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not node.inputs or node.inputs[0] not in apart:
            return None
        return (_part(inputs[0].node, node),)

    return graph.rewrite(rule)


def _part(whole: Node, cut: Node) -> Tensor:
    """The channels of an input's gradient that a slice takes."""
    assert isinstance(whole.op, Conv2dGradInput) and isinstance(cut.op, Slice)
    (dy, weight), sizes = whole.inputs, cut.op.sizes
    rows = Slice((0, cut.op.starts[CHANNELS], 0, 0), (1,) * 4,
                 (weight.shape[0], sizes[CHANNELS], *weight.shape[2:]))
    with scope(whole.scope):
        return apply(Conv2dGradInput(whole.op.window, sizes), dy, apply(rows, weight))


def _are_parts(whole: Node, readers: list[Node]) -> bool:
    """Whether all readers take channels, no channel twice, and Winograd computes each part."""
    shape, spans = whole.outputs[0].shape, []
    for node in readers:
        op = node.op
        if not (isinstance(op, Slice) and op.steps == (1,) * 4 and op.sizes[0] == shape[0]
                and op.sizes[2:] == shape[2:] and by_winograd(_part(whole, node).node)):
            return False
        spans.append((op.starts[CHANNELS], op.starts[CHANNELS] + op.sizes[CHANNELS]))
    spans.sort()
    return all(end <= start for (_, end), (start, _) in pairwise(spans))
