"""Gather: elements of an axis by a place for each; scatter_add, its adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Call, ClassNumbers, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.binary import add
from fastnn.ops.expand import expand
from fastnn.ops.getitem import getitem
from fastnn.ops.pad import constant_pad
from fastnn.ops.places import checked_index, wrapped_index
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.take import around
from fastnn.spec import ShapeError, Spec, check_float


@dataclass(frozen=True)
class Gather(Op):
    """y[.., k, ..] = x[.., index[.., k, ..], ..]; inputs x and index, of the same other sizes."""

    axis: int

    @property
    def name(self) -> str:
        return "gather"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, index = inputs
        return (Spec(index.shape, x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, index = node.inputs
        return (apply(GatherGrad(self.axis, x.shape[self.axis]), grads[0], index), None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0 and all(of_batch)

    def class_numbers(self, node: Node) -> ClassNumbers:
        x, index = node.inputs
        return ClassNumbers(index, x.shape[self.axis], 0, 0, f"axis {self.axis} of {x.shape}")

    def lower(self, node: Node) -> list[Call]:
        x, index = node.inputs
        outer, inner = around(x.shape, (self.axis,))
        d = (outer, x.shape[self.axis], index.shape[self.axis], inner, x.dtype.itemsize // 4)
        return [Call("gather", (x, index, *node.outputs), d)]


@dataclass(frozen=True)
class GatherGrad(Op):
    """dx = 0, then dx[.., index[.., k, ..], ..] += dy[.., k, ..]; inputs dy and index."""

    axis: int
    size: int

    @property
    def name(self) -> str:
        return "gather_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        shape = inputs[0].shape
        return (Spec((*shape[:self.axis], self.size, *shape[self.axis + 1:])),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Gather(self.axis), grads[0], node.inputs[1]), None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0 and all(of_batch)

    def class_numbers(self, node: Node) -> ClassNumbers:
        (dx,) = node.outputs
        return ClassNumbers(node.inputs[1], self.size, 0, 0, f"axis {self.axis} of {dx.shape}")

    def lower(self, node: Node) -> list[Call]:
        dy, index = node.inputs
        outer, inner = around(dy.shape, (self.axis,))
        d = (outer, self.size, dy.shape[self.axis], inner, 1)
        return [Call("gather_backward", (dy, index, *node.outputs), d)]


@operation("gather")
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Tensor:
    """y[i, k, j] = input[i, index[i, k, j], j] along the axis `dim`, as torch.gather.

    index: int64, of input's rank; along other axes no larger than input. sparse_grad has no effect.

    >>> from fastnn.graph import constant
    >>> gather(constant(np.zeros((2, 5))), 1, np.array([[0, 3, 3]])).shape
    (1, 3)
    """
    x = as_tensor(input)
    if x.ndim == 0:
        places = checked_index("gather", index, 1, "a scalar")
        return reshape(gather(reshape(x, 1), 0, reshape(places, places.numel())), *places.shape)
    (axis,) = check_axes(x, (dim,))
    places = checked_index("gather", index, x.shape[axis], f"axis {axis} of {x.shape}")
    if places.ndim == 0 and x.ndim == 1:
        return reshape(gather(x, 0, reshape(places, 1)), ())
    _check_fit("gather", "input", x, places, axis)
    return apply(Gather(axis), _part(x, places.shape, axis), places)


def _check_fit(name: str, what: str, x: Tensor, index: Tensor, axis: int | None) -> None:
    fits = index.ndim == x.ndim and all(
        number == axis or small <= large
        for number, (small, large) in enumerate(zip(index.shape, x.shape, strict=False)))
    if not fits:
        but = "" if axis is None else f" along axes other than {axis}"
        raise ShapeError(f"{name}: index {index.shape} does not fit {what} {x.shape}: it must be "
                         f"of that rank and no larger{but}")


def _part(x: Tensor, shape: tuple[int, ...], axis: int | None) -> Tensor:
    """The first elements of x, as many as `shape` says, of all axes but one."""
    ends = [size if number == axis else shape[number] for number, size in enumerate(x.shape)]
    return x if tuple(ends) == x.shape else getitem(x, tuple(slice(end) for end in ends))


@operation("take_along_dim")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Tensor:
    """input's elements at `indices` along the axis `dim`, other axes broadcast.

    As torch.take_along_dim and numpy.take_along_axis; without `dim`, both are flattened. Negative
    indices count from the end.

    >>> from fastnn.graph import constant
    >>> take_along_dim(constant(np.zeros((2, 5))), np.array([[4]]), 1).shape
    (2, 1)
    """
    x = as_tensor(input)
    if dim is None:
        flat = wrapped_index("take_along_dim", indices, x.numel(), f"input {x.shape}, flattened,")
        return gather(reshape(x, x.numel()), 0, reshape(flat, flat.numel()))
    (axis,) = check_axes(x, (dim,))
    index = wrapped_index("take_along_dim", indices, x.shape[axis], f"axis {axis} of {x.shape}")
    if index.ndim != x.ndim:
        raise ShapeError(f"take_along_dim: indices {index.shape} must be of input's rank, "
                         f"{x.shape}")
    try:
        shape = list(np.broadcast_shapes(*([size for number, size in enumerate(tensor.shape)
                                            if number != axis] for tensor in (x, index))))
    except ValueError:
        raise ShapeError(f"take_along_dim: indices {index.shape} and input {x.shape} do not "
                         f"broadcast along axes other than {axis}") from None
    wide = expand(x, *shape[:axis], x.shape[axis], *shape[axis:])
    return gather(wide, axis, expand(index, *shape[:axis], index.shape[axis], *shape[axis:]))


@operation("scatter_add")
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """y = input, with src[i, k, j] added at [i, index[i, k, j], j], as torch.scatter_add.

    index: int64, of input's rank, no larger than src; along axes other than `dim` no larger than
    input. Where several go to one place, they are added in order of k.

    >>> from fastnn.graph import constant
    >>> zeros = constant(np.zeros((2, 5)))
    >>> scatter_add(zeros, 1, np.array([[0, 3], [3, 3]]), constant(np.ones((2, 2)))).shape
    (2, 5)
    """
    x, added = as_tensor(input), as_tensor(src)
    if x.ndim == 0:
        places = checked_index("scatter_add", index, 1, "a scalar")
        return reshape(scatter_add(reshape(x, 1), 0, reshape(places, places.numel()),
                                   reshape(added, added.numel())), ())
    check_float("scatter_add", x.spec, added.spec)
    (axis,) = check_axes(x, (dim,))
    places = checked_index("scatter_add", index, x.shape[axis], f"axis {axis} of {x.shape}")
    _check_fit("scatter_add", "input", x, places, axis)
    _check_fit("scatter_add", "src", added, places, None)
    summed = apply(GatherGrad(axis, x.shape[axis]), _part(added, places.shape, None), places)
    missing = [(0, x.shape[number] - summed.shape[number]) for number in range(x.ndim)]
    if any(after for _, after in missing):
        summed = constant_pad(summed, missing, 0.0)
    return add(x, summed)
