"""Convolutions of concatenated inputs, part by part, so that the concatenation is never stored.

A U-Net, for example, concatenates its skips with what comes from below. Neither the concatenated
value nor its gradient is written. The parts need no more products than the whole, as long as
Winograd computes all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from fastnn.context import scope
from fastnn.graph import Graph, Leaf, Node, Tensor, apply
from fastnn.ops.concat import Concat
from fastnn.ops.conv2d import Conv2d, Conv2dGradInput, Conv2dGradWeight
from fastnn.ops.conv2d_fused import Conv2dStats
from fastnn.ops.conv2d_joined import VECTOR, JoinedConv2d
from fastnn.ops.conv_kernels import JOINED
from fastnn.ops.convolution import by_winograd
from fastnn.ops.slice import Slice

CHANNELS = 1


def parts_of_grad_weight(graph: Graph) -> Graph:
    """The weight's gradient for each part of the input, then concatenated."""
    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op = node.op
        joined = inputs[0].node if inputs else node
        if not (isinstance(op, Conv2dGradWeight) and by_winograd(node)
                and isinstance(joined.op, Concat) and joined.op.axis == CHANNELS):
            return None
        outputs, _, *size = op.shape
        with scope(node.scope):
            parts = [apply(Conv2dGradWeight(op.arguments, (outputs, x.shape[CHANNELS], *size)), x,
                           inputs[1]) for x in joined.inputs]
            whole = apply(joined.op, *parts)
        return (whole,) if all(by_winograd(part.node) for part in parts) else None

    return graph.rewrite(rule)


def parts_of_grad_input(graph: Graph) -> Graph:
    """The gradient of each part of the input by itself, if the whole is only sliced."""
    readers: dict[Tensor, list[Node]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
    results = set(graph.outputs)
    apart = {node.outputs[0] for node in graph.nodes
             if isinstance(node.op, Conv2dGradInput) and by_winograd(node)
             and node.outputs[0] not in results
             and _are_parts(node, readers.get(node.outputs[0], []))}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not node.inputs or node.inputs[0] not in apart:
            return None
        return (_part(inputs[0].node, node),)

    return graph.rewrite(rule)


def _part(whole: Node, cut: Node) -> Tensor:
    """The input gradient of only the channels that a slice takes."""
    assert isinstance(whole.op, Conv2dGradInput) and isinstance(cut.op, Slice)
    (dy, weight), sizes = whole.inputs, cut.op.sizes
    rows = Slice((0, cut.op.starts[CHANNELS], 0, 0), (1,) * 4,
                 (weight.shape[0], sizes[CHANNELS], *weight.shape[2:]))
    with scope(whole.scope):
        return apply(Conv2dGradInput(whole.op.arguments, sizes), dy, apply(rows, weight))


def _are_parts(whole: Node, readers: list[Node]) -> bool:
    """Whether all readers slice channels, none twice, and Winograd computes each slice."""
    shape, spans = whole.outputs[0].shape, []
    for node in readers:
        op = node.op
        if not (isinstance(op, Slice) and op.steps == (1,) * 4 and op.sizes[0] == shape[0]
                and op.sizes[2:] == shape[2:] and by_winograd(_part(whole, node).node)):
            return False
        spans.append((op.starts[CHANNELS], op.starts[CHANNELS] + op.sizes[CHANNELS]))
    spans.sort()
    return all(end <= start for (_, end), (start, _) in pairwise(spans))


def parts_as_they_are_read(graph: Graph) -> Graph:
    """Move each of several input gradients from one dy to right before its first reader.

    The gradient of a U-Net's skip is then computed long after the other one. Until then dy is held
    instead, which is no larger, and the three are never in memory together.
    """
    sources = Counter(node.inputs[0] for node in graph.nodes
                      if isinstance(node.op, Conv2dGradInput))
    first_reader: dict[Tensor, Node] = {}
    for node in reversed(graph.nodes):
        first_reader.update(dict.fromkeys(node.inputs, node))
    waiting: dict[Node, list[Node]] = {}
    moved: set[Node] = set()
    for node in reversed(graph.nodes[graph.forward_nodes:graph.first_update]):
        reader = first_reader.get(node.outputs[0]) if len(node.outputs) == 1 else None
        part = (isinstance(node.op, Conv2dGradInput) and sources[node.inputs[0]] > 1
                and node.inputs[0].bytes <= node.outputs[0].bytes)
        filters = (isinstance(node.op, Slice) and isinstance(node.inputs[0].node.op, Leaf)
                   and reader in moved)
        if reader is not None and not reader.op.effect and (part or filters):
            waiting.setdefault(reader, []).append(node)
            moved.add(node)

    def with_waiting(node: Node) -> list[Node]:
        before = [n for other in reversed(waiting.get(node, [])) for n in with_waiting(other)]
        return [*before, node]

    nodes = [n for node in graph.nodes if node not in moved for n in with_waiting(node)]
    return replace(graph, nodes=tuple(nodes))


def joined_inputs(graph: Graph) -> Graph:
    """Two concatenated inputs are read in place, if nothing else reads them (Winograd's)."""
    in_place = {node.outputs[0] for node in graph.nodes if _joins_two(node)} - set(graph.outputs)
    for node in graph.nodes:
        if not _may_read_two(node):
            in_place -= set(node.inputs)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not node.inputs or node.inputs[0] not in in_place:
            return None
        assert isinstance(node.op, (Conv2d, Conv2dStats))
        op = JoinedConv2d(node.op.arguments, isinstance(node.op, Conv2dStats), way=node.op.way)
        specs = [tensor.spec for tensor in node.outputs]
        return Node(op, (*inputs[0].node.inputs, *inputs[1:]), specs, node.origin).outputs

    return graph.rewrite(rule)


def _may_read_two(node: Node) -> bool:
    op = node.op
    if not isinstance(op, (Conv2d, Conv2dStats)) or (isinstance(op, Conv2d) and op.relu):
        return False
    return op.can(node, JOINED, op.operands()[1])


def _joins_two(node: Node) -> bool:
    """Whether a node concatenates two inputs' channels, the first with whole vectors of them."""
    return (isinstance(node.op, Concat) and node.op.axis == CHANNELS and len(node.inputs) == 2
            and node.origin.pin != "keep" and node.inputs[0].shape[CHANNELS] % VECTOR == 0)
