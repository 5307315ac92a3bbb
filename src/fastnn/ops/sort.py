"""Sorting along an axis: sort, argsort, topk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag, integer
from fastnn.graph import Call, Node, Op, Tensor, apply, apply_all, as_tensor
from fastnn.ops.permute import transpose
from fastnn.ops.public import operation
from fastnn.ops.reduced_axes import Chosen
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.scatter_places import ScatterPlaces
from fastnn.spec import INDEX, ShapeError, Spec, check_float, storage_axes


@dataclass(frozen=True)
class Sort(Op):
    """The first `count` values in order, and their places, along the last axis in memory."""

    count: int
    descending: bool

    @property
    def name(self) -> str:
        return "sort"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        check_float("sort", x)
        axis = storage_axes(len(x.shape))[-1]
        if not self.count <= x.shape[axis] < 2**32:
            raise ShapeError(f"topk: k = {self.count} is more than the {x.shape[axis]} values "
                             f"along the axis of shape {x.shape}")
        shape = (*x.shape[:axis], self.count, *x.shape[axis + 1:])
        return (Spec(shape), Spec(shape, INDEX))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x = node.inputs[0]
        axis = storage_axes(x.ndim)[-1]
        return (apply(ScatterPlaces(axis, x.shape[axis]), grads[0], node.outputs[1]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return node.inputs[0].ndim > 1

    def lower(self, node: Node) -> list[Call]:
        x = node.inputs[0]
        n = x.shape[storage_axes(x.ndim)[-1]]
        d = (x.spec.size // n if n else 0, n, self.count, int(self.descending))
        return [Call("sort_rows", (x, *node.outputs), d)]

    def flops(self, node: Node) -> float:
        return 10.0 * node.inputs[0].size


def _first(x: Any, count: int | None, dim: Any, descending: bool) -> Chosen:
    """The first `count` values (None: all) along an axis."""
    x = as_tensor(x)
    row = reshape(x, 1) if x.ndim == 0 else x
    (axis,) = check_axes(row, (dim,))
    last = storage_axes(row.ndim)[-1]
    if axis != last:
        row = transpose(row, axis, last)
    found = apply_all(Sort(row.shape[last] if count is None else count, descending), row)
    if axis != last:
        return Chosen(*(transpose(y, axis, last) for y in found))
    return Chosen(*(reshape(y, ()) if x.ndim == 0 and y.spec.size else y for y in found))


@operation("sort")
def sort(
    input: Any, dim: int = -1, descending: bool = False, stable: bool = False
) -> Chosen:
    """(values, indices): the values along the axis `dim` in order, and their places (int64).

    Equal values keep their order, whatever `stable` says; NaN is above all.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> values, indices = sort(constant(np.ones((4, 5))))
    >>> values.shape, indices.dtype
    ((4, 5), dtype('int64'))
    """
    flag(stable, "stable")
    return _first(input, None, dim, flag(descending, "descending"))


@operation("argsort")
def argsort(
    input: Any, dim: int = -1, descending: bool = False, stable: bool = False
) -> Tensor:
    """The places (int64) of the values along the axis `dim` in order; see `sort`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> argsort(constant(np.ones((4, 5))), 0).shape
    (4, 5)
    """
    return sort(input, dim, descending, stable).indices


@operation("topk")
def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Chosen:
    """(values, indices) of the k largest (or least) values along the axis `dim`, in order.

    They are in order whatever `sorted` says; of equal values the first are taken; NaN is above all.
    Raises ShapeError if there are fewer than k.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> topk(constant(np.ones((4, 5))), 3).values.shape
    (4, 3)
    """
    flag(sorted, "sorted")
    count = integer(k, "topk: k", "a number of values from 0 on", 0)
    return _first(input, count, dim, flag(largest, "largest"))
