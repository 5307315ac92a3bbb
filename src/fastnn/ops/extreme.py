"""The largest and least values along axes, and their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from fastnn.arguments import flag
from fastnn.graph import Call, Node, Op, Tensor, apply, apply_all, as_tensor
from fastnn.operators import Operators
from fastnn.ops.binary import div, maximum, minimum, mul
from fastnn.ops.compare import eq
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduced_axes import Chosen, around, axes_of, check_some, dropped, kept, together
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.scatter_places import ScatterPlaces
from fastnn.spec import INDEX, Spec, check_float


def _name(largest: bool) -> str:
    return "max" if largest else "min"


@dataclass(frozen=True)
class Extreme(Op):
    """The largest or least values over axes that are one run in memory; sizes become 1.

    The values that are equal to it share the gradient.
    """

    axes: tuple[int, ...]
    largest: bool

    @property
    def name(self) -> str:
        return f"a{_name(self.largest)}"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        check_float(self.name, x)
        check_some(self.name, x, self.axes)
        return (Spec(kept(x.shape, self.axes)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        mask = eq(node.inputs[0], node.outputs[0])
        return (mul(mask, div(grads[0], sum(mask, self.axes, keepdim=True))),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return 0 not in self.axes

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        return [Call("extreme", (x, y, None), (*around(x.shape, self.axes), 0),
                     (float(self.largest),))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


@dataclass(frozen=True)
class ExtremeAndPlace(Op):
    """The largest or least values over an axis, and where the first one is; its size becomes 1."""

    axis: int
    largest: bool

    @property
    def name(self) -> str:
        return _name(self.largest)

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        check_float(self.name, x)
        check_some(self.name, x, (self.axis,))
        shape = kept(x.shape, (self.axis,))
        return (Spec(shape), Spec(shape, INDEX))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        scatter = ScatterPlaces(self.axis, node.inputs[0].shape[self.axis])
        return (apply(scatter, grads[0], node.outputs[1]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0

    def lower(self, node: Node) -> list[Call]:
        x = node.inputs[0]
        return [Call("extreme", (x, *node.outputs), (*around(x.shape, (self.axis,)), 1),
                     (float(self.largest),))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


def _over_axes(x: Any, dim: Any, keepdim: bool, largest: bool) -> Tensor:
    x = as_tensor(x)
    axes = axes_of(x, dim)
    check_some(f"a{_name(largest)}", x.spec, axes)
    shape = dropped(x.shape, axes, flag(keepdim, "keepdim"))
    matrix, run = together(x, axes)
    return reshape(apply(Extreme(run, largest), matrix), shape)


def _along(x: Any, dim: Any, keepdim: bool, largest: bool) -> Chosen:
    x = as_tensor(x)
    row = reshape(x, 1) if x.ndim == 0 else x
    (axis,) = check_axes(row, (dim,))
    shape = dropped(row.shape, (axis,), flag(keepdim, "keepdim")) if x.ndim else ()
    outputs = apply_all(ExtremeAndPlace(axis, largest), row)
    return Chosen(*(reshape(y, shape) for y in outputs))


def _places(x: Any, dim: Any, keepdim: bool, largest: bool) -> Tensor:
    x = as_tensor(x)
    if dim is not None:
        return _along(x, dim, keepdim, largest).indices
    check_some(f"arg{_name(largest)}", x.spec, range(x.ndim))
    places = apply_all(ExtremeAndPlace(0, largest), reshape(x, x.spec.size))[1]
    return reshape(places, (1,) * x.ndim if flag(keepdim, "keepdim") else ())


def _one_or_two(
    pair: Callable[..., Tensor], largest: bool, input: Any, dim: Any, keepdim: bool, other: Any
) -> Any:
    """The forms of torch.max: of two tensors, along an axis, of all."""
    if other is None and dim is not None and (
            isinstance(dim, Operators) or not isinstance(dim, SupportsIndex)):
        other, dim = dim, None
    if other is not None:
        return pair(input, other)
    return (_over_axes(input, None, keepdim, largest) if dim is None
            else _along(input, dim, keepdim, largest))


@operation("max")
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest values of `input`, in the three forms of torch.max.

    max(x): of all elements, a scalar; equal ones share the gradient. max(x, dim, keepdim): along an
    axis, (values, indices); the gradient goes to the first of equal ones. max(x, y): `maximum`.
    NaN counts as the largest. Raises ShapeError where there is nothing to choose from.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> values, indices = max(constant(np.ones((4, 5))), 1)
    >>> values.shape, indices.shape, indices.dtype
    ((4,), (4,), dtype('int64'))
    """
    return _one_or_two(maximum, True, input, dim, keepdim, other)


@operation("min")
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The least values of `input`, in the three forms of torch.min; see `max`.

    NaN counts as the least.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> min(constant(np.ones((4, 5)))).shape
    ()
    """
    return _one_or_two(minimum, False, input, dim, keepdim, other)


@operation("amax")
def amax(input: Any, dim: int | Sequence[int] | None = (), keepdim: bool = False) -> Tensor:
    """The largest value over the axes `dim`, over all if it is empty.

    Equal ones share the gradient. A NaN is the result where there is one. Raises ShapeError where
    there is nothing to choose from.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> amax(constant(np.ones((2, 3, 4, 4))), (2, 3)).shape
    (2, 3)
    """
    return _over_axes(input, dim, keepdim, largest=True)


@operation("amin")
def amin(input: Any, dim: int | Sequence[int] | None = (), keepdim: bool = False) -> Tensor:
    """The least value over the axes `dim`, over all if it is empty; see `amax`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> amin(constant(np.ones((2, 3))), 0, keepdim=True).shape
    (1, 3)
    """
    return _over_axes(input, dim, keepdim, largest=False)


@operation("argmax")
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The place (int64) of the first largest value along the axis `dim`; None: in the flat tensor.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> argmax(constant(np.ones((4, 5))), 1).shape
    (4,)
    """
    return _places(input, dim, keepdim, largest=True)


@operation("argmin")
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The place (int64) of the first least value along the axis `dim`; None: in the flat tensor.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> argmin(constant(np.ones((4, 5))), 1, keepdim=True).shape
    (4, 1)
    """
    return _places(input, dim, keepdim, largest=False)
