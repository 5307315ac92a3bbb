"""Recomputation: forget some forward values and compute them again in the backward pass.

`drop` rewrites a graph for a set of values to forget; `candidates` proposes sets, from none to all
but a few checkpoints (Chen et al., 2016). Statistics are always kept, and a dropout draws the same
mask again, so every choice gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.batch_norm import BatchNormStats
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.conv2d_fused import Conv2dStats, NormConv2d
from fastnn.ops.function import PythonOp
from fastnn.ops.linear import Linear

DEAR = (Conv2d, Conv2dStats, NormConv2d, Linear)
KEPT = (BatchNormStats, PythonOp)  # a function of the user's own may differ from call to call


def drop(graph: Graph, dropped: set[Tensor]) -> Graph:
    """The graph in which the backward pass computes `dropped` again, just before it reads them."""
    if not dropped:
        return graph
    clones: dict[Tensor, Tensor] = {}
    nodes: list[Node] = list(graph.nodes[:graph.forward_nodes])
    produced = {t for node in nodes for t in node.outputs}

    def clone(tensor: Tensor) -> Tensor:
        if tensor not in dropped or tensor not in produced:
            return tensor
        pending = [tensor]
        while pending:
            node = pending[-1].node
            missing = [t for t in node.inputs if t in dropped and t not in clones]
            if missing:
                pending.extend(missing)
                continue
            pending.pop()
            if node.outputs[0] not in clones and all(t not in clones for t in node.outputs):
                copy = Node(node.op, tuple(clones.get(t, t) for t in node.inputs),
                            [t.spec for t in node.outputs], node.scope)
                nodes.append(copy)
                clones.update({old: new for old, new in zip(node.outputs, copy.outputs,
                                                            strict=True) if old in dropped})
        return clones[tensor]

    new: dict[Tensor, Tensor] = {}
    for node in graph.nodes[graph.forward_nodes:graph.first_update]:
        inputs = tuple(new.get(t, t) for t in map(clone, node.inputs))
        if inputs != node.inputs:
            node_new = Node(node.op, inputs, [t.spec for t in node.outputs], node.scope)
            new.update(zip(node.outputs, node_new.outputs, strict=True))
            node = node_new
        nodes.append(node)
    first_update = len(nodes)
    for node in graph.nodes[graph.first_update:]:
        inputs = tuple(new.get(t, t) for t in node.inputs)
        nodes.append(node if inputs == node.inputs else Node(node.op, inputs, (), node.scope))
    outputs = tuple(new.get(t, t) for t in graph.outputs)
    return Graph(tuple(nodes), graph.inputs, outputs, first_update,
                 graph.forward_nodes).without_dead()


def _droppable(graph: Graph) -> list[Tensor]:
    outputs = set(graph.outputs)
    updates = {t for node in graph.nodes[graph.first_update:] for t in node.inputs}
    return [
        tensor for node in graph.nodes[:graph.forward_nodes] for tensor in node.outputs
        if not isinstance(node.op, KEPT) and tensor not in outputs
        and tensor not in updates and tensor.dtype.itemsize == 4
    ]


def candidates(graph: Graph) -> Iterator[set[Tensor]]:
    """Sets of values to forget, the cheapest to recompute first."""
    everything = _droppable(graph)
    yield set()
    if not everything:
        return
    cheap = {tensor for tensor in everything if not isinstance(tensor.node.op, DEAR)}
    yield cheap
    count = graph.forward_nodes
    position = {node: i for i, node in enumerate(graph.nodes)}
    last_read = {tensor: position[node] for node in graph.nodes[:count] for tensor in node.inputs}
    sizes = sorted({max(1, round(math.sqrt(count) * 2.0 ** power)) for power in range(-3, 4)})
    for size in reversed(sizes):
        if size < count:
            crossing = {
                tensor for tensor in everything
                if position[tensor.node] // size != last_read.get(tensor, 0) // size}
            yield set(everything) - crossing
