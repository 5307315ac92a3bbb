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

    def function(a: Any, b: Any) -> Tensor:
        operands = (b, a) if name in _SWAPPED else (a, b)
        tensors = alike(*operands)
        if all(tensor.dtype != INDEX for tensor in tensors):
            return apply(Binary(row), *tensors)
        integers = [_integer(value) for value in operands]
        if None in integers:
            raise TypeError(f"{name}: integers are compared with integers; write x.float() for "
                            "those that are to be compared with other numbers")
        return apply(CompareIndex(row), *integers)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (f"1 where a {_SIGNS[name]} b, else 0, in float32; no gradient. "
                        "NaN is unequal to all, itself too.")
    return function


eq, ne, lt, le, gt, ge = (operation(name)(_relation(name))
                          for name in ("eq", "ne", "lt", "le", "gt", "ge"))


def _mask(name: str, value: Any) -> Tensor:
    """1 where a value is not 0; TypeError for integers, which could be meant as bits."""
    number = isinstance(value, (int, float, np.generic))
    if (number and value not in (0, 1)) or (not number and as_tensor(value).dtype == INDEX):
        raise TypeError(f"{name} takes masks, such as x > 0, not integers: got {value!r}")
    return ne(value, 0.0)


@operation("logical_and")
def logical_and(a: Any, b: Any) -> Tensor:
    """a & b: 1 where both are not 0, else 0; no gradient."""
    return mul(_mask("&", a), _mask("&", b))


@operation("logical_or")
def logical_or(a: Any, b: Any) -> Tensor:
    """a | b: 1 where at least one is not 0, else 0; no gradient."""
    return ne(_mask("|", a) + _mask("|", b), 0.0)


@operation("logical_xor")
def logical_xor(a: Any, b: Any) -> Tensor:
    """a ^ b: 1 where exactly one is not 0, else 0; no gradient."""
    return ne(_mask("^", a), _mask("^", b))


@operation("logical_not")
def logical_not(x: Any) -> Tensor:
    """~x: 1 where x is 0, else 0; no gradient."""
    return eq(_mask("~", x), 0.0)
