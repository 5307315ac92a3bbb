"""Slicing with numbers, slices, None and Ellipsis, as NumPy's basic indexing; and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from fastnn.arguments import integer
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.operators import Operators
from fastnn.ops.reshape import copy_call, reshape
from fastnn.spec import ShapeError, Spec, element_strides, storage_axes


@dataclass(frozen=True)
class Slice(Op):
    """y = x[start::step] along every axis, `sizes` elements of each."""

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "slice"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.sizes, inputs[0].dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        scatter = SliceGrad(self.starts, self.steps, node.inputs[0].shape)
        return (apply(scatter, grads[0]),)

    def view_of(self, node: Node) -> int | None:
        shape = node.inputs[0].shape
        shorter = [axis for axis, size in enumerate(self.sizes) if size != shape[axis]]
        outer = [axis for axis in storage_axes(len(shape)) if shape[axis] != 1]
        first_part = not any(self.starts) and all(step == 1 for step in self.steps)
        return 0 if first_part and shorter in ([], outer[:1]) else None

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        whole = (0, 1, node.inputs[0].shape[0])
        return (self.starts[0], self.steps[0], self.sizes[0]) == whole

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        strides = element_strides(x.shape)
        offset = sum(a * b for a, b in zip(self.starts, strides, strict=True))
        x_strides = [a * b for a, b in zip(self.steps, strides, strict=True)]
        return [copy_call(x, y, y.shape, x_strides, element_strides(y.shape), x_offset=offset)]


@dataclass(frozen=True)
class SliceGrad(Op):
    """dx = 0, then dx[start::step] = dy."""

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "slice_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape, inputs[0].dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Slice(self.starts, self.steps, node.inputs[0].shape), grads[0]),)

    def lower(self, node: Node) -> list[Call]:
        dy, dx = node.inputs[0], node.outputs[0]
        strides = element_strides(dx.shape)
        offset = sum(a * b for a, b in zip(self.starts, strides, strict=True))
        dx_strides = [a * b for a, b in zip(self.steps, strides, strict=True)]
        copy = copy_call(dy, dx, dy.shape, element_strides(dy.shape), dx_strides, y_offset=offset)
        return [Call("fill", (dx,), (dx.size,), (0.0,)), copy]


def _is_index(item: Any) -> bool:
    return (isinstance(item, SupportsIndex) and not isinstance(item, (bool, Operators))
            and not np.ndim(item))  # type: ignore[arg-type]


def _span(item: slice, size: int) -> range:
    """The range of places that a slice takes of an axis."""
    try:
        return range(*item.indices(size))
    except TypeError:
        raise TypeError(f"a slice's ends and step must be integers, got {item!r:.80}") from None
    except ValueError:  # Python's own, for a step of 0
        raise ValueError(f"a slice's step must not be 0, got {item!r:.80}") from None


def getitem(x: Any, key: Any) -> Tensor:
    """x[key] for numbers, slices, None and Ellipsis.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> getitem(constant(np.zeros((4, 5, 6))), (0, slice(1, None, 2), None)).shape
    (2, 1, 6)
    """
    x = as_tensor(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    used = [item for item in keys if item is not None and item is not Ellipsis]
    if len(used) > x.ndim or sum(item is Ellipsis for item in keys) > 1:
        raise ShapeError(f"too many indices for shape {x.shape}: {key}")
    if not any(item is Ellipsis for item in keys):
        keys.append(Ellipsis)
    place = next(i for i, item in enumerate(keys) if item is Ellipsis)
    keys[place:place + 1] = [slice(None)] * (x.ndim - len(used))
    starts, steps, sizes, shape = [], [], [], []
    axes = iter(x.shape)
    for item in keys:
        if item is None:
            shape.append(1)
            continue
        size = next(axes)
        if isinstance(item, slice):
            span = _span(item, size)
            if not span:
                raise ShapeError(f"slice {item} of an axis of size {size} is empty")
            shape.append(len(span))
        elif _is_index(item):
            index = integer(item, "an index")
            if not -size <= index < size:
                raise ShapeError(f"index {index} is outside of an axis of size {size}")
            span = range(index % size, index % size + 1)
        else:
            raise TypeError(f"a tensor is indexed by numbers, slices and None, not by "
                            f"{type(item).__name__}: write x * mask for x[mask], and fn.cat of "
                            "x[i:i + 1] for a list of places")
        starts.append(span.start)
        steps.append(span.step)
        sizes.append(len(span))
    if tuple(sizes) != x.shape or any(step != 1 for step in steps):
        x = apply(Slice(tuple(starts), tuple(steps), tuple(sizes)), x)
    return reshape(x, tuple(shape))
