"""Repetition: whole tensors side by side, or each element several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fastnn.arguments import integer
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor, constant
from fastnn.ops.expand import expand
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum as sum_over
from fastnn.ops.reshape import copy_call, flatten, one_axis, reshape, sizes_of
from fastnn.spec import ShapeError, Spec, element_strides

MOST_AXES = 8  # of a strided copy; an int64 takes one of them for its two words


@dataclass(frozen=True)
class Tile(Op):
    """y[i] = x[i // each mod size] along every axis, which becomes times * size * each long."""

    times: tuple[int, ...]
    each: tuple[int, ...]

    @property
    def name(self) -> str:
        return "tile"

    def cut_shape(self, x: Sequence[int]) -> tuple[int, ...]:
        """The shape of y with each axis cut into (times, size, each)."""
        return tuple(chain(*zip(self.times, x, self.each, strict=True)))

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        shape = tuple(a * size * b
                      for a, size, b in zip(self.times, x.shape, self.each, strict=True))
        return (Spec(shape, x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, dy = node.inputs[0], grads[0]
        if not dy.size:
            return (expand(constant(0.0), x.shape),)
        cut = self.cut_shape(x.shape)
        repeated = [axis for axis, size in enumerate(cut) if axis % 3 != 1 and size != 1]
        return (reshape(sum_over(reshape(dy, cut), repeated), x.shape),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.times[:1] == (1,)

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        steps, x_strides, y_strides = element_strides(y.shape), [], []
        for axis, stride in enumerate(element_strides(x.shape)):
            each = self.each[axis]
            x_strides += [0, stride, 0]
            y_strides += [x.shape[axis] * each * steps[axis], each * steps[axis], steps[axis]]
        cut = self.cut_shape(x.shape)
        kept = [axis for axis, size in enumerate(cut) if size != 1]
        shape, reads, writes = ([values[axis] for axis in kept]
                                for values in (cut, x_strides, y_strides))
        return [copy_call(x, y, shape, reads, writes)]


def _tiled(x: Tensor, times: Sequence[int], each: Sequence[int]) -> Tensor:
    """Tile, by several steps where one copy has not axes enough."""
    room = MOST_AXES - (x.dtype.itemsize > 4) - sum(size != 1 for size in x.shape)
    for axis in reversed(range(x.ndim)):
        more = (times[axis] != 1) + (each[axis] != 1)
        if more > room:
            only = [value if i > axis else 1 for i, value in enumerate(times)]
            inner = [value if i > axis else 1 for i, value in enumerate(each)]
            rest = [1 if i > axis else value for i, value in enumerate(times)]
            outer = [1 if i > axis else value for i, value in enumerate(each)]
            return _tiled(_tiled(x, only, inner), rest, outer)
        room -= more
    changed = any(number != 1 for number in (*times, *each))
    return apply(Tile(tuple(times), tuple(each)), x) if changed else x


def _repeated(name: str, input: Any, numbers: Sequence[int]) -> Tensor:
    x, times = as_tensor(input), list(numbers)
    if min(times, default=0) < 0:
        raise ShapeError(f"{name}: numbers of times must not be negative, got {tuple(times)}")
    x = reshape(x, (*(1,) * (len(times) - x.ndim), *x.shape))
    return _tiled(x, [*(1,) * (x.ndim - len(times)), *times], (1,) * x.ndim)


@operation("repeat")
def repeat(input: Any, *sizes: Any, repeats: Any = None) -> Tensor:
    """`input` so many times side by side along each axis; more numbers than axes add axes in front.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> repeat(constant(np.zeros((2, 3))), 4, 1, 2).shape
    (4, 2, 6)
    """
    times = sizes_of(sizes if repeats is None else (*sizes, repeats))
    x = as_tensor(input)
    if len(times) < x.ndim:
        raise ShapeError(f"repeat: {len(times)} numbers are too few for the axes of {x.shape}")
    return _repeated("repeat", x, times)


@operation("tile")
def tile(input: Any, *sizes: Any, dims: Any = None) -> Tensor:
    """As `repeat`, but numbers may be fewer than axes: they belong to the last ones.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> tile(constant(np.zeros((2, 3))), (2,)).shape
    (2, 6)
    """
    return _repeated("tile", input, sizes_of(sizes if dims is None else (*sizes, dims)))


@operation("repeat_interleave")
def repeat_interleave(input: Any, repeats: int, dim: int | None = None) -> Tensor:
    """Each element `repeats` times in a row along axis `dim`; by default of the flat tensor.

    `repeats` is a number: as many elements as a tensor says are no step of a graph.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> repeat_interleave(constant(np.zeros((2, 3))), 2, dim=0).shape
    (4, 3)
    """
    x = as_tensor(input)
    times = integer(repeats, "repeats", "a number from 0 on, the same for all places", 0)
    if dim is None or not x.ndim:
        x, dim = flatten(x), 0
    axis = one_axis(x, dim)
    each = [times if i == axis else 1 for i in range(x.ndim)]
    return _tiled(x, (1,) * x.ndim, each)
