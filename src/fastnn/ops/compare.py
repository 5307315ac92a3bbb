"""Comparisons, element by element: masks of 0 and 1 in float32, through which no gradient passes.

Floats use rows of the pointwise table, integers (class numbers) an exact kernel of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._kernels.pointwise.compare import RELATIONS
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor, leaf
from fastnn.ops.binary import Binary, alike, broadcast_shape, broadcast_strides, mul
from fastnn.ops.expand import side_by_side
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.spec import INDEX, Spec, storage_shape

_SWAPPED = {"lt": "gt", "le": "ge"}  # a < b is b > a
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@dataclass(frozen=True)
class CompareIndex(Op):
    """y = 1 where the relation of integers a and b holds, else 0."""

    relation: str

    @property
    def name(self) -> str:
        return f"index_{self.relation}"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(broadcast_shape(self.relation, *inputs)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None, None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return side_by_side(node, of_batch)

    def lower(self, node: Node) -> list[Call]:
        (y,) = node.outputs
        a, b = (broadcast_strides(x.shape, y.shape) for x in node.inputs)
        d = (RELATIONS.index(self.relation), y.ndim, *storage_shape(y.shape), *a, *b)
        return [Call("compare_index", (*node.inputs, y), d)]


def _integer(value: Any) -> Tensor | None:
    """Integers, or one integer, as a tensor; None for anything else."""
    if isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer()):
        if not -2**63 <= value < 2**63:
            raise ValueError(f"class numbers are 64-bit integers; {value} is none")
        return leaf("constant", np.array(int(value), INDEX), Spec((), INDEX))
    tensor = as_tensor(value)
    return tensor if tensor.dtype == INDEX else None


def _relation(name: str) -> Callable[[Any, Any], Tensor]:
    row = _SWAPPED.get(name, name)

    def function(input: Any, other: Any) -> Tensor:
        operands = (other, input) if name in _SWAPPED else (input, other)
        tensors = alike(*operands)
        if all(tensor.dtype != INDEX for tensor in tensors):
            return apply(Binary(row), *tensors)
        integers = [_integer(value) for value in operands]
        if None in integers:
            raise TypeError(f"{name}: integers are compared with integers; write x.float() for "
                            "those that are to be compared with other numbers")
        return apply(CompareIndex(row), *integers)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (f"1 where input {_SIGNS[name]} other, else 0, in float32; no gradient. "
                        "NaN is unequal to all, itself too.")
    return function


eq, ne, lt, le, gt, ge = (operation(name)(_relation(name))
                          for name in ("eq", "ne", "lt", "le", "gt", "ge"))


def _mask(value: Any) -> Tensor:
    """1 where a value is not 0; NaN is not."""
    return ne(value, 0)


def _joined(sign: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An operator of masks; TypeError for integers, which could be meant as bits."""
    def operator(*values: Any) -> Tensor:
        for value in values:
            number = isinstance(value, (int, float, np.generic))
            if (number and value not in (0, 1)) or (
                    not number and as_tensor(value).dtype == INDEX):
                raise TypeError(f"{sign} takes masks, such as x > 0, not integers: got {value!r}")
        return function(*values)

    return operator


@operation("logical_and")
def logical_and(input: Any, other: Any) -> Tensor:
    """1 where both are not 0, else 0; no gradient. `a & b` for masks."""
    return mul(_mask(input), _mask(other))


@operation("logical_or")
def logical_or(input: Any, other: Any) -> Tensor:
    """1 where at least one is not 0, else 0; no gradient. `a | b` for masks."""
    return ne(_mask(input) + _mask(other), 0.0)


@operation("logical_xor")
def logical_xor(input: Any, other: Any) -> Tensor:
    """1 where exactly one is not 0, else 0; no gradient. `a ^ b` for masks."""
    return ne(_mask(input), _mask(other))


@operation("logical_not")
def logical_not(input: Any) -> Tensor:
    """1 where x is 0, else 0; no gradient. `~x` for masks."""
    return eq(input, 0)


and_, or_, xor, not_ = (_joined(sign, function) for sign, function in (
    ("&", logical_and), ("|", logical_or), ("^", logical_xor), ("~", logical_not)))


@operation("isnan")
def isnan(input: Any) -> Tensor:
    """1 where x is NaN, else 0; no gradient."""
    return ne(input, input)


@operation("isinf")
def isinf(input: Any) -> Tensor:
    """1 where x is infinite, of either sign, else 0; no gradient."""
    return eq(FUNCTIONS["abs"](input), np.inf)


@operation("isfinite")
def isfinite(input: Any) -> Tensor:
    """1 where x is neither infinite nor NaN, else 0; no gradient."""
    return lt(FUNCTIONS["abs"](input), np.inf)
