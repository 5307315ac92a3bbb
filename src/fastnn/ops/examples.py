"""Which graphs compute each example of a batch on its own, so that a batch can be cut.

Only operations known to are taken for it: of a `Function`, or batch statistics, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from fastnn.graph import Graph, Leaf, Node, Op, Tensor
from fastnn.ops.adaptive_avg_pool2d import AdaptiveAvgPool2d
from fastnn.ops.add_n import AddN
from fastnn.ops.avg_pool2d import AvgPool2d
from fastnn.ops.batch_norm import BatchNorm
from fastnn.ops.binary import Binary
from fastnn.ops.boundary import FromRowMajor
from fastnn.ops.concat import Concat
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.conv_transpose2d import ConvTranspose2d
from fastnn.ops.expand import Expand
from fastnn.ops.linear import Linear
from fastnn.ops.max_pool2d import MaxPool2d
from fastnn.ops.permute import Permute
from fastnn.ops.pointwise import Unary
from fastnn.ops.reduce import Sum
from fastnn.ops.reshape import Reshape
from fastnn.ops.slice import Slice
from fastnn.ops.softmax import Softmax

# (operation, which inputs come from the batch) -> whether rows of the output belong to the same
# examples as those of the inputs. Examples lie along the first axis, some rows for each.
Rule = Callable[[Node, list[bool]], bool]


def _first_input(node: Node, of_batch: list[bool]) -> bool:
    return not any(of_batch[1:])


def _side_by_side(node: Node, of_batch: list[bool]) -> bool:
    """Operands of the batch lie row by row; others are the same for every row."""
    rows, rank = node.outputs[0].shape[:1], node.outputs[0].ndim
    return all(
        (x.ndim == rank and x.shape[:1] == rows) if inside else _same_for_all(x, rank)
        for x, inside in zip(node.inputs, of_batch, strict=True))


def _same_for_all(x: Tensor, rank: int) -> bool:
    if x.ndim < rank or x.shape[:1] == (1,):
        return True
    return isinstance(x.node.op, Expand) and _same_for_all(x.node.inputs[0], rank)


def _whole_first_axis(node: Node, of_batch: list[bool]) -> bool:
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Slice)
    return (op.starts[0], op.steps[0], op.sizes[0]) == (0, 1, x.shape[0])


RULES: dict[type[Op], Rule] = {
    **dict.fromkeys((FromRowMajor, Unary, Conv2d, ConvTranspose2d, Linear, MaxPool2d, AvgPool2d,
                     AdaptiveAvgPool2d, Softmax, Reshape), _first_input),
    BatchNorm: lambda node, of_batch: _first_input(node, of_batch) and not node.op.training,  # type: ignore[attr-defined]
    **dict.fromkeys((Binary, AddN, Expand), _side_by_side),
    Concat: lambda node, of_batch: node.op.axis != 0 and _side_by_side(node, of_batch),  # type: ignore[attr-defined]
    Permute: lambda node, of_batch: node.op.axes[0] == 0,  # type: ignore[attr-defined]
    Sum: lambda node, of_batch: 0 not in node.op.axes,  # type: ignore[attr-defined]
    Slice: _whole_first_axis,
}


def by_example(graph: Graph, examples: int) -> bool:
    """Whether every output of a graph has a row, or some, for each example, from that alone."""
    of_batch = set(graph.inputs)
    for node in graph.nodes:
        flags = [tensor in of_batch for tensor in node.inputs]
        if not any(flags):
            continue
        rule = RULES.get(type(node.op))
        if rule is None or not rule(node, flags):
            return False
        if any(t.ndim == 0 or t.shape[0] % examples for t in node.outputs):
            return False
        of_batch.update(node.outputs)
    return of_batch.issuperset(graph.outputs) and all(
        tensor.shape[:1] == (examples,) for tensor in graph.outputs)


def same_but_for_size(graph: Graph, examples: int, other: Graph, others: int) -> bool:
    """Whether graphs for batches of two sizes are the same beside those: no value depends on it."""
    return len(graph.nodes) == len(other.nodes) and all(
        type(a.op) is type(b.op) and _same_fields(a.op, b.op, examples, others)
        and all(_same_constant(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))
        for a, b in zip(graph.nodes, other.nodes, strict=True))


def _same_fields(a: Op, b: Op, examples: int, others: int) -> bool:
    """Of shapes, the first axis may differ, as the numbers of examples do."""
    for field in fields(a):  # type: ignore[arg-type]
        x, y = getattr(a, field.name), getattr(b, field.name)
        shapes = isinstance(x, tuple) and x and all(type(size) is int for size in (*x, *y))
        if x != y and not (shapes and x[1:] == y[1:] and x[0] * others == y[0] * examples):
            return False
    return True


def _same_constant(x: Tensor, y: Tensor) -> bool:
    a, b = x.node.op, y.node.op
    if isinstance(a, Leaf) and isinstance(b, Leaf) and a.kind == b.kind == "constant":
        return x.shape == y.shape and bool(np.array_equal(a.source, b.source))
    return isinstance(a, Leaf) == isinstance(b, Leaf)
