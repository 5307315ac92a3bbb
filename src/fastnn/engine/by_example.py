"""Which graphs compute each example of a batch on its own, so that a batch can be split.

Only operations that say so qualify (`Op.by_example`); a `Function` never does.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from fastnn.graph import Graph, Leaf, Op, Tensor
from fastnn.runtime.random import random_key


def by_example(graph: Graph, examples: int) -> bool:
    """Whether every output has rows for each example that depend only on that example."""
    of_batch, key = set(graph.inputs), random_key()
    for node in graph.nodes:
        flags = [tensor in of_batch for tensor in node.inputs]
        if any(tensor is key for tensor in node.inputs):  # each micro-batch would draw anew
            return False
        if not any(flags):
            continue
        if not node.op.by_example(node, flags):
            return False
        if any(t.ndim == 0 or t.shape[0] % examples for t in node.outputs):
            return False
        of_batch.update(node.outputs)
    return of_batch.issuperset(graph.outputs) and all(
        tensor.shape[:1] == (examples,) for tensor in graph.outputs)


def same_but_for_size(graph: Graph, examples: int, other: Graph, others: int) -> bool:
    """Whether graphs for two batch sizes differ only in the size: no value depends on it."""
    return len(graph.nodes) == len(other.nodes) and all(
        type(a.op) is type(b.op) and _same_fields(a.op, b.op, examples, others)
        and all(_same_constant(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))
        for a, b in zip(graph.nodes, other.nodes, strict=True))


def _same_fields(a: Op, b: Op, examples: int, others: int) -> bool:
    """Compare fields; the first axis of shapes may differ, like the numbers of examples."""
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
