"""Functions of two tensors, element by element, with NumPy's broadcasting.

The rows (add, sub, mul, ...) are in `_kernels/pointwise/simd/binary.h`; GRADIENTS here gives the
gradient of each. A number as second operand becomes the one-pass function `affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._kernels.pointwise.pointwise import binary_rows
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor, constant
from fastnn.ops.expand import side_by_side
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum_to
from fastnn.spec import (
    FLOAT,
    ShapeError,
    Spec,
    check_float,
    element_strides,
    storage_axes,
    storage_shape,
)

ROWS = {name: index for index, (name, _) in enumerate(binary_rows())}


def broadcast_strides(shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, for reading a tensor of `shape` as `out`, in storage order."""
    missing = len(out) - len(shape)
    strides = [0] * missing + [
        0 if size == 1 else stride
        for size, stride in zip(shape, element_strides(shape), strict=True)
    ]
    return tuple(strides[axis] for axis in storage_axes(len(out)))


def broadcast_shape(name: str, a: Spec, b: Spec) -> tuple[int, ...]:
    """The shape of a function of two tensors, or ShapeError."""
    try:
        return np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ShapeError(f"{name}: shapes {a.shape} and {b.shape} do not broadcast") from None


@dataclass(frozen=True)
class Binary(Op):
    """y = f(a, b), by row name."""

    row: str

    @property
    def name(self) -> str:
        return self.row

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        shape = broadcast_shape(self.row, *inputs)
        check_float(self.row, *inputs)
        return (Spec(shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        a, b = node.inputs
        rules = GRADIENTS[self.row]
        return [
            sum_to(rule(grads[0], a, b, node.outputs[0]), operand.shape) if want and rule else None
            for rule, operand, want in zip(rules, (a, b), wanted, strict=True)
        ]

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return side_by_side(node, of_batch)

    def lower(self, node: Node) -> list[Call]:
        (y,) = node.outputs
        a, b = (broadcast_strides(x.shape, y.shape) for x in node.inputs)
        d = (ROWS[self.row], y.ndim, *storage_shape(y.shape), *a, *b)
        return [Call("binary", (*node.inputs, y), d)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return [i for i in (0, 1) if node.inputs[i].shape == node.outputs[0].shape]


def alike(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors; integers beside floats become floats, as in PyTorch."""
    first, second = as_tensor(a), as_tensor(b)
    if first.dtype != second.dtype:
        if isinstance(a, np.ndarray):
            first = constant(a.astype(FLOAT))
        elif isinstance(b, np.ndarray):
            second = constant(b.astype(FLOAT))
    return first, second


def _apply(row: str) -> Callable[[Any, Any], Tensor]:
    def function(a: Any, b: Any) -> Tensor:
        return apply(Binary(row), *alike(a, b))

    function.__name__ = function.__qualname__ = row
    return function


_add, _sub, _mul, _div = map(_apply, ("add", "sub", "mul", "div"))
maximum, minimum, _ge, _gt, _bce = map(_apply, ("maximum", "minimum", "ge", "gt", "bce"))
maximum.__doc__ = "max(a, b), element by element; at a tie the gradient goes to a alone."
minimum.__doc__ = "min(a, b), element by element; at a tie the gradient goes to a alone."
operation("maximum")(maximum)
operation("minimum")(minimum)


def affine(x: Any, scale: float, shift: float = 0.0) -> Tensor:
    """scale * x + shift."""
    return FUNCTIONS["affine"](x, scale, shift)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.floating, np.integer))


@operation("add")
def add(a: Any, b: Any) -> Tensor:
    """a + b; both operands get dy."""
    if _number(b):
        return affine(a, 1.0, float(b))
    return add(b, a) if _number(a) else _add(a, b)


@operation("sub")
def sub(a: Any, b: Any) -> Tensor:
    """a - b."""
    if _number(b):
        return affine(a, 1.0, -float(b))
    return affine(b, -1.0, float(a)) if _number(a) else _sub(a, b)


@operation("mul")
def mul(a: Any, b: Any) -> Tensor:
    """a * b; each operand's gradient is dy times the other."""
    if _number(b):
        return affine(a, float(b))
    return mul(b, a) if _number(a) else _mul(a, b)


@operation("div")
def div(a: Any, b: Any) -> Tensor:
    """a / b."""
    if _number(b):
        return affine(a, 1.0 / float(b))
    return affine(FUNCTIONS["reciprocal"](b), float(a)) if _number(a) else _div(a, b)


@operation("pow")
def pow(a: Any, exponent: float) -> Tensor:
    """a ** exponent, for a number as exponent."""
    if not _number(exponent):
        raise TypeError("** takes a number as exponent; with a tensor there write "
                        "fn.exp(exponent * fn.log(base)), for a number as base math.log(base)")
    if exponent == 2:
        return FUNCTIONS["square"](as_tensor(a))
    return FUNCTIONS["power"](as_tensor(a), float(exponent))


_Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
# (dy, a, b, y) -> da, db; None where the gradient is zero.
GRADIENTS: dict[str, tuple[_Rule | None, _Rule | None]] = {
    "add": (lambda dy, a, b, y: dy, lambda dy, a, b, y: dy),
    "sub": (lambda dy, a, b, y: dy, lambda dy, a, b, y: affine(dy, -1.0)),
    "mul": (lambda dy, a, b, y: _mul(dy, b), lambda dy, a, b, y: _mul(dy, a)),
    "div": (lambda dy, a, b, y: _div(dy, b), lambda dy, a, b, y: affine(_div(_mul(dy, y), b), -1)),
    "maximum": (lambda dy, a, b, y: _mul(dy, _ge(a, b)), lambda dy, a, b, y: _mul(dy, _gt(b, a))),
    "minimum": (lambda dy, a, b, y: _mul(dy, _ge(b, a)), lambda dy, a, b, y: _mul(dy, _gt(a, b))),
    "bce": (lambda dy, a, b, y: _mul(dy, _div(_sub(a, b), maximum(_mul(a, affine(a, -1, 1)),
                                                                  1e-12))),
            lambda dy, a, b, y: _mul(dy, _sub(_bce(a, 1.0), _bce(a, 0.0)))),
    "bce_logits": (lambda dy, a, b, y: _mul(dy, _sub(FUNCTIONS["sigmoid"](a), b)),
                   lambda dy, a, b, y: affine(_mul(dy, a), -1)),
    **dict.fromkeys(("ge", "gt", "eq", "ne"), (None, None)),
}
