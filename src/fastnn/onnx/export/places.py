"""Elements by their places: padding, selection, embedding, interpolation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastnn.graph import Node, Tensor
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import unsupported
from fastnn.onnx.export.table import translates
from fastnn.ops.gather import Gather
from fastnn.ops.places import Places
from fastnn.ops.tables import known
from fastnn.ops.take import Take
from fastnn.spec import FLOAT, INDEX


@translates(Take)
def take(build: Builder, node: Node, op: Take) -> str:
    """Pad, Gather, or a product with the matrix of weights, along each axis."""
    name = build.name_of(node.inputs[0])
    for axis, index, weight in _groups(node, op):
        places = known(index)
        size = node.inputs[0].shape[axis]
        weights = None if weight is None else known(weight)
        if places is None:
            if weight is not None or index.ndim == 2:
                raise unsupported(node, "takes weighted elements by places that a run computes")
            name = build.emit("Gather", [name, build.name_of(index)], axis=axis)
        elif places.ndim == 2 and (weight is not None or places.shape[1] > 1):
            if weight is not None and weights is None:
                raise unsupported(node, "takes elements with weights that a run computes")
            build.traced.check_fixed(node, (axis,))
            matrix = _matrix(places, weights, size)
            name = _along(build, name, axis, node.inputs[0].ndim, matrix)
        else:
            name = _at(build, node, name, axis, places.reshape(-1))
    return name


def _groups(node: Node, op: Take) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """(axis, index, weight or None) of each axis."""
    rest = iter(node.inputs[1:])
    for axis, weighted in zip(op.axes, op.weighted, strict=True):
        yield axis, next(rest), next(rest) if weighted else None


def _matrix(places: np.ndarray, weights: np.ndarray | None, size: int) -> np.ndarray:
    """The (places, size) matrix of a table."""
    matrix = np.zeros((len(places), size), FLOAT)
    inside = (places >= 0) & (places < size)
    rows = np.broadcast_to(np.arange(len(places))[:, None], places.shape)
    values = np.ones(places.shape, FLOAT) if weights is None else weights
    np.add.at(matrix, (rows[inside], places[inside]), values[inside])
    return matrix


def _along(build: Builder, x: str, axis: int, rank: int, matrix: np.ndarray) -> str:
    """The product with a matrix along an axis, which is the last one for it."""
    if axis == rank - 2:
        return build.emit("MatMul", [build.constant(matrix), x])
    order = [*(other for other in range(rank) if other != axis), axis]
    turned = x if axis == rank - 1 else build.emit("Transpose", [x], perm=order)
    y = build.emit("MatMul", [turned, build.constant(np.ascontiguousarray(matrix.T))])
    back = [order.index(place) for place in range(rank)]
    return y if axis == rank - 1 else build.emit("Transpose", [y], perm=back)


def _at(build: Builder, node: Node, x: str, axis: int, places: np.ndarray) -> str:
    """x at constant places of an axis: padded, if that is what they say, else gathered.

    Places outside of x are those of one more element, which has the value to fill with.
    """
    size, first = node.inputs[0].shape[axis], int(places[0]) if places.size else 0
    outside = (places < 0) | (places >= size)
    if outside.any():
        build.traced.check_fixed(node, (axis,))
    run = np.array_equal(places, np.arange(first, first + places.size))
    if run and outside.any() and first <= 0 and places.size + first >= size:
        return _padded(build, node, x, axis, (-first, places.size + first - size))
    if outside.any():
        x = _padded(build, node, x, axis, (0, 1))
    return build.emit("Gather", [x, build.constant(np.where(outside, size, places), INDEX)],
                      axis=axis)


def _padded(build: Builder, node: Node, x: str, axis: int, pair: tuple[int, int]) -> str:
    """x with so many elements before and behind an axis."""
    assert isinstance(node.op, Take)
    pads = np.zeros((2, node.inputs[0].ndim), INDEX)
    pads[:, axis] = pair
    return build.emit("Pad", [x, build.constant(pads.reshape(-1)),
                              build.constant(node.op.fill, node.inputs[0].dtype)])


@translates(Gather)
def gather(build: Builder, node: Node, op: Gather) -> str:
    """GatherElements."""
    return build.emit("GatherElements", build.inputs_of(node), axis=op.axis)


@translates(Places)
def places(build: Builder, node: Node, op: Places) -> str:
    """Places that may count from the end, as places of several axes in one."""
    a, b = build.inputs_of(node)
    if op.negative:
        below = build.emit("Less", [a, build.constant(0, INDEX)])
        a = build.emit("Where", [below, build.emit("Add", [a, build.constant(op.size, INDEX)]), a])
    if op.stride != 1:
        a = build.emit("Mul", [a, build.constant(op.stride, INDEX)])
    return build.emit("Add", [a, b])
