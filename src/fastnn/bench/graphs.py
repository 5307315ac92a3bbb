"""The graph of a row, forward and backward, and how much work each pass is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from fastnn import optim
from fastnn.autodiff import gradients
from fastnn.bench.rows import Row
from fastnn.bench.serve import bind, sizes
from fastnn.context import updates
from fastnn.graph import Graph, Leaf, Node, Tensor, leaf
from fastnn.nn.parameter import Parameter
from fastnn.ops.public import OPERATIONS
from fastnn.runtime.random import streams
from fastnn.spec import FLOAT, INDEX, Spec


def find(name: str) -> Callable[..., Any]:
    """An operation by its name, also one that only gradients use; ".name" is a tensor's method.

    >>> find("conv2d").__module__
    'fastnn.ops.conv2d'
    """
    if name.startswith("."):
        return lambda x, *rest, **arguments: getattr(x, name[1:])(*rest, **arguments)
    if name in OPERATIONS:
        return OPERATIONS[name].function
    return getattr(import_module(f"fastnn.ops.{name}"), name)  # type: ignore[no-any-return]


def graph_of(run: Callable[[], Tensor], inputs: list[Tensor], wanted: list[Tensor]) -> Graph:
    """Forward and, where a gradient is wanted, backward for a gradient that comes from outside.

    run: makes the output. inputs: leaves; the output's gradient is added as the last.
    """
    with updates() as effects, streams():
        output = run()
        results = [output]
        if wanted and output.dtype == FLOAT:
            upstream = leaf("input", len(inputs), output.spec)
            inputs = [*inputs, upstream]
            results += gradients(output, wanted, upstream)
    return Graph.trace(inputs, results, effects, [output])


def row_graph(row: Row) -> Graph:
    """The graph of a row, without memory."""
    inputs: list[Tensor] = []
    wanted: list[Tensor] = []

    def make(entry: dict[str, Any]) -> Tensor:
        dtype = INDEX if entry["kind"] == "classes" else FLOAT
        inputs.append(leaf("input", len(inputs), Spec(sizes(entry["shape"], row.batch), dtype)))
        if entry["gradient"]:
            wanted.append(inputs[-1])
        return inputs[-1]

    return graph_of(bind(row.request(), find, make), inputs, wanted)


@dataclass(frozen=True)
class Work:
    """What a pass has to do, whoever does it: operations, and bytes that come in or go out."""

    flops: float
    bytes: float


def work(row: Row) -> dict[str, Work]:
    """The work of each pass of a row.

    >>> from fastnn.bench.rows import floats
    >>> work(Row("relu", (floats("N", 10),), batch=8))["backward"]
    Work(flops=80.0, bytes=960.0)
    """
    if row.function.startswith("optim."):
        return {"update": _update_work(row)}
    graph = row_graph(row)
    split = graph.forward_nodes
    parts = {"forward": graph.nodes[:split], "backward": graph.nodes[split:]}
    return {name: _work(graph, nodes) for name, nodes in parts.items() if nodes}


def _update_work(row: Row) -> Work:
    """Of an optimizer's step: parameters and states are read and written, gradients are read."""
    shapes = [entry["shape"] for entry in row.inputs if entry is not None]
    count = sum(math.prod(shape) for shape in shapes)
    small = [Parameter(np.zeros((1,) * len(shape))) for shape in shapes]
    optimizer = getattr(optim, row.function.removeprefix("optim."))(small, **row.arguments)
    group = optimizer.param_groups[0]
    flops = 4.0 * count
    for rows, columns in shapes if group.kernel == "muon" else ():
        side, length = sorted((rows, columns))
        flops += group["ns_steps"] * side * side * (4.0 * length + 2.0 * side)
    return Work(flops, 4.0 * count * (3 + 2 * len(optimizer.names(group))))


def _work(graph: Graph, nodes: tuple[Node, ...]) -> Work:
    """Bytes are those of tensors that cross the pass's border: what no fusion can save."""
    inside = {tensor for node in nodes for tensor in node.outputs}
    read = {tensor for node in nodes for tensor in node.inputs}
    later = {tensor for node in graph.nodes if node not in set(nodes) for tensor in node.inputs}
    leaving = inside & (later | set(graph.outputs))
    constants = {tensor for tensor in read if isinstance(tensor.node.op, Leaf)
                 and tensor.node.op.kind != "input"}
    crossing = (read - inside - constants) | leaving
    return Work(sum(node.op.flops(node) for node in nodes),
                float(sum(tensor.bytes for tensor in crossing)))
