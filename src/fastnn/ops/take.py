"""Take: elements of an axis by their places, or weighted sums of a few; and the adjoint.

Selection, padding, embedding and interpolation are all this. Where places are constants, the
adjoint is itself a take, by the transposed table; otherwise it adds into a gradient of zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Call, ClassNumbers, Node, Op, Tensor, apply, as_tensor, constant
from fastnn.ops.tables import Table, known
from fastnn.spec import FLOAT, INDEX, ShapeError, Spec, check_float, storage_axes


def around(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, int]:
    """Elements before and after axes that are neighbours in memory."""
    order = storage_axes(len(shape))
    places = [order.index(axis) for axis in axes]
    if places != list(range(places[0], places[0] + len(places))):
        raise ShapeError(f"take: axes {tuple(axes)} of {shape} are no neighbours in memory")
    sizes = [shape[axis] for axis in order]
    return math.prod(sizes[:places[0]]), math.prod(sizes[places[-1] + 1:])


def _groups(inputs: Sequence[Any], weighted: Sequence[bool]) -> Iterator[tuple[Any, Any]]:
    """The (index, weight or None) of each axis."""
    rest = iter(inputs)
    for has_weight in weighted:
        index = next(rest)
        yield index, next(rest) if has_weight else None


def _taps(index: Any) -> int:
    return int(index.shape[1]) if len(index.shape) == 2 else 1


@dataclass(frozen=True)
class Take(Op):
    """y[.., k, ..] = sum over t of weight[k, t] x[.., index[k, t], ..], along one or two axes.

    Inputs: x, then for each of `axes` (neighbours in memory, in this order) an index (places,) or
    (places, taps), and its weight where `weighted` says so. Where y is one place without weights
    and that is outside of x, it is `fill`. The place `skip` of x gets no gradient.
    """

    axes: tuple[int, ...]
    weighted: tuple[bool, ...]
    fill: float = 0.0
    skip: int = -1

    @property
    def name(self) -> str:
        return "take"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, *rest = inputs
        shape = list(x.shape)
        around(x.shape, self.axes)
        for axis, (index, weight) in zip(self.axes, _groups(rest, self.weighted), strict=True):
            if index.dtype != INDEX or len(index.shape) not in (1, 2):
                raise ShapeError(f"take: places are int64 of rank 1 or 2, got {index}")
            if weight is not None and (weight.shape != index.shape or weight.dtype != FLOAT):
                raise ShapeError(f"take: weights {weight} do not fit places {index}")
            shape[axis] = index.shape[0]
        if any(self.weighted) or any(_taps(index) > 1 for index, _ in
                                     _groups(rest, self.weighted)):
            check_float("take", x)
        return (Spec(tuple(shape), x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, *rest = node.inputs
        nothing = [None] * len(rest)
        if not wanted[0]:
            return (None, *nothing)
        groups = list(_groups(rest, self.weighted))
        constants = [_table(*group) for group in groups]
        tables = [table for table in constants if table is not None]
        sizes = [x.shape[axis] for axis in self.axes]
        if len(tables) == len(groups) and all(
                table.is_even(size) for table, size in zip(tables, sizes, strict=True)):
            back = [table.transposed(size, self.skip)
                    for table, size in zip(tables, sizes, strict=True)]
            return (take_all(grads[0], self.axes, back), *nothing)
        dx = grads[0]
        for axis, size, group in zip(self.axes, sizes, groups, strict=True):
            given = [tensor for tensor in group if tensor is not None]
            dx = apply(TakeGrad(axis, size, self.skip), dx, *given)
        return (dx, *nothing)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        if of_batch[0]:
            return 0 not in self.axes and not any(of_batch[1:])
        return self.axes == (0,) and not any(self.weighted)

    def class_numbers(self, node: Node) -> ClassNumbers | None:
        axis, index = self.axes[0], node.inputs[1]
        size = node.inputs[0].shape[axis]
        return ClassNumbers(index, size, 0, 0, f"axis {axis} of {node.inputs[0].shape}")

    def lower(self, node: Node) -> list[Call]:
        x, *rest = node.inputs
        y = node.outputs[0]
        groups = list(_groups(rest, self.weighted))
        rows, row_weight = groups[0] if len(groups) == 2 else (None, None)
        index, weight = groups[-1]
        outer, inner = around(x.shape, self.axes)
        words = y.dtype.itemsize // 4  # the kernel moves words of 4 bytes
        h, oh = (x.shape[self.axes[0]], y.shape[self.axes[0]]) if rows is not None else (1, 1)
        w, ow = x.shape[self.axes[-1]], y.shape[self.axes[-1]]
        d = (outer, h, w, inner * words, oh, ow, 1 if rows is None else _taps(rows), _taps(index),
             int(rows is not None), int(row_weight is not None), int(weight is not None))
        return [Call("take", (x, y, rows, row_weight, index, weight), d, (self.fill,))]

    def flops(self, node: Node) -> float:
        taps = [_taps(index) for index, _ in _groups(node.inputs[1:], self.weighted)]
        return 2.0 * node.outputs[0].size * math.prod(taps) if math.prod(taps) > 1 else 0.0


@dataclass(frozen=True)
class TakeGrad(Op):
    """dx = 0, then dx[.., index[k, t], ..] += weight[k, t] dy[.., k, ..]; but not at `skip`.

    Inputs dy, index and maybe weight.
    """

    axis: int
    size: int
    skip: int = -1

    @property
    def name(self) -> str:
        return "take_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        dy = inputs[0]
        check_float("take_backward", dy)
        shape = (*dy.shape[:self.axis], self.size, *dy.shape[self.axis + 1:])
        return (Spec(shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        upstream, (index, *weight) = grads[0], node.inputs[1:]
        if self.skip >= 0:
            kept = np.ones([self.size if axis == self.axis else 1
                            for axis in range(upstream.ndim)], FLOAT)
            kept.reshape(-1)[self.skip] = 0
            upstream = upstream * constant(kept)
        op = Take((self.axis,), (bool(weight),))
        return (apply(op, upstream, index, *weight), None, *(None for _ in weight))

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0 and not any(of_batch[1:])

    def class_numbers(self, node: Node) -> ClassNumbers | None:
        axis = f"axis {self.axis} of {node.outputs[0].shape}"
        return ClassNumbers(node.inputs[1], self.size, 0, 0, axis)

    def lower(self, node: Node) -> list[Call]:
        dy, index, *weight = node.inputs
        outer, inner = around(dy.shape, (self.axis,))
        d = (outer, self.size, index.shape[0], _taps(index), inner, self.skip, len(weight))
        given = weight[0] if weight else None
        return [Call("take_backward", (dy, index, given, *node.outputs), d)]


def _table(index: Tensor, weight: Tensor | None) -> Table | None:
    """Constants as a table; None if a run may change them."""
    places, weights = known(index), None if weight is None else known(weight)
    if places is None or (weight is not None and weights is None):
        return None
    shape = (index.shape[0], _taps(index))
    return Table(places.reshape(shape), None if weights is None else weights.reshape(shape))


def take_all(x: Any, axes: Sequence[int], tables: Sequence[Table], fill: float = 0.0) -> Tensor:
    """x with each of `axes` made anew by its table: both at once if neighbours in memory.

    fill: the value where a table of one tap without weights names no place.

    >>> x = constant(np.zeros((2, 3, 4, 5)))
    >>> take_all(x, (2, 3), [Table(np.array([[0], [-1], [3]])), Table(np.array([[4]]))]).shape
    (2, 3, 3, 1)
    """
    y: Tensor = as_tensor(x)
    order = storage_axes(y.ndim)
    left = sorted(((axis, table) for axis, table in zip(axes, tables, strict=True)
                   if not table.is_identity(y.shape[axis])),
                  key=lambda pair: order.index(pair[0]))
    while left:
        count = 1
        if len(left) > 1 and order.index(left[-2][0]) + 1 == order.index(left[-1][0]):
            count = 2
        left, group = left[:-count], left[-count:]
        op = Take(tuple(axis for axis, _ in group),
                  tuple(table.weight is not None for _, table in group), fill)
        y = apply(op, y, *(tensor for _, table in group for tensor in table.tensors()))
    return y


def take(x: Any, axis: int, index: Any, fill: float = 0.0, skip: int = -1) -> Tensor:
    """y[.., k, ..] = x[.., index[k], ..]; index an array or a symbolic int64 tensor of rank 1.

    A place outside of x, negative ones too, gives `fill`. skip: a place without a gradient.
    """
    index = constant(np.asarray(index, INDEX)) if isinstance(index, np.ndarray) else index
    return apply(Take((axis,), (False,), fill, skip), x, index)
