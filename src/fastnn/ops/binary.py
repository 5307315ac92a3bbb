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
from fastnn.arguments import choice, real
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

MOST = 1e30  # in size, of numbers that are folded into `affine`
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
    def function(input: Any, other: Any) -> Tensor:
        return apply(Binary(row), *alike(input, other))

    function.__name__ = function.__qualname__ = row
    return function


_add, _sub, _mul, _div, _pow, _bce = map(_apply, ("add", "sub", "mul", "div", "pow", "bce"))
maximum, minimum, share, keep, drop = map(
    _apply, ("maximum", "minimum", "share", "keep", "drop"))
maximum.__doc__ = ("max(a, b), element by element, NaN if one is; equal values share the gradient "
                   "half and half, as in PyTorch.")
minimum.__doc__ = ("min(a, b), element by element, NaN if one is; equal values share the gradient "
                   "half and half, as in PyTorch.")
maximum, minimum = operation("maximum")(maximum), operation("minimum")(minimum)


def affine(x: Any, scale: float, shift: float = 0.0) -> Tensor:
    """scale * x + shift."""
    return FUNCTIONS["affine"](x, scale, shift)


def is_number(value: Any) -> bool:
    """Whether a value is one number of Python or NumPy."""
    return isinstance(value, (int, float, np.floating, np.integer))


def _finite(value: Any) -> bool:
    """Whether a value is a number that `affine` takes; infinities go through a tensor."""
    return is_number(value) and abs(value) < MOST


def _scaled(name: str, other: Any, alpha: float) -> Any:
    """alpha * other, for the argument `alpha` of add and sub."""
    gain = real(alpha, f"{name}: alpha")
    if gain == 1:
        return other
    return gain * float(other) if is_number(other) else affine(as_tensor(other), gain)


@operation("add")
def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other; both get dy, other times alpha."""
    other = _scaled("add", other, alpha)
    if _finite(other):
        return affine(input, 1.0, float(other))
    return affine(other, 1.0, float(input)) if _finite(input) else _add(input, other)


@operation("sub", "subtract")
def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    other = _scaled("sub", other, alpha)
    if _finite(other):
        return affine(input, 1.0, -float(other))
    return affine(other, -1.0, float(input)) if _finite(input) else _sub(input, other)


@operation("mul", "multiply")
def mul(input: Any, other: Any) -> Tensor:
    """input * other; each operand's gradient is dy times the other."""
    if _finite(other):
        return affine(input, float(other))
    return affine(other, float(input)) if _finite(input) else _mul(input, other)


@operation("div", "divide")
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, rounded to whole numbers if asked; through those no gradient passes.

    rounding_mode: None, "trunc" (the quotient without its fraction) or "floor" (the largest whole
    number up to the quotient as it is before rounding to float32, so that 1 / 0.1 gives 9).
    """
    if rounding_mode is not None:
        mode = choice(rounding_mode, "div: rounding_mode", ("trunc", "floor"))
        if mode == "floor":
            return apply(Binary("floor_div"), *alike(input, other))
        return FUNCTIONS["trunc"](_div(input, other))
    if _finite(other) and abs(other) > 1 / MOST:
        return affine(input, 1.0 / float(other))
    if _finite(input):
        return affine(FUNCTIONS["reciprocal"](other), float(input))
    return _div(input, other)


@operation("pow")
def pow(input: Any, exponent: Any) -> Tensor:
    """input ** exponent; one of them may be a number.

    Gradients are PyTorch's: that of the base is 0 where the exponent is 0, that of the exponent is
    0 where the base is 0 and the exponent is not below.
    """
    if not _finite(exponent):
        return _pow(input, exponent)
    if exponent == 2:
        return FUNCTIONS["square"](as_tensor(input))
    return FUNCTIONS["power"](as_tensor(input), float(exponent))


def _base_gradient(dy: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return _mul(dy, keep(_mul(b, _pow(a, affine(b, 1.0, -1.0))), b))


def _exponent_gradient(dy: Tensor, a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    from_zero = _mul(apply(Binary("eq"), a, 0.0), apply(Binary("ge"), b, 0.0))
    return _mul(dy, drop(_mul(y, FUNCTIONS["log"](a)), from_zero))


def _mask_of(row: str, swap: bool = False) -> _Rule:
    """The rule of a gradient that passes where a relation of a and b holds."""
    def rule(dy: Tensor, a: Tensor, b: Tensor, y: Tensor) -> Tensor:
        return _mul(dy, apply(Binary(row), *((b, a) if swap else (a, b))))

    return rule


_Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
# (dy, a, b, y) -> da, db; None where the gradient is zero.
GRADIENTS: dict[str, tuple[_Rule | None, _Rule | None]] = {
    "add": (lambda dy, a, b, y: dy, lambda dy, a, b, y: dy),
    "sub": (lambda dy, a, b, y: dy, lambda dy, a, b, y: affine(dy, -1.0)),
    "mul": (lambda dy, a, b, y: _mul(dy, b), lambda dy, a, b, y: _mul(dy, a)),
    "div": (lambda dy, a, b, y: _div(dy, b), lambda dy, a, b, y: affine(_div(_mul(dy, y), b), -1)),
    "pow": (lambda dy, a, b, y: _base_gradient(dy, a, b), _exponent_gradient),
    "maximum": (_mask_of("share"), _mask_of("share", swap=True)),
    "minimum": (_mask_of("share", swap=True), _mask_of("share")),
    "clamp_min": (_mask_of("ge"), _mask_of("gt", swap=True)),
    "clamp_max": (_mask_of("ge", swap=True), _mask_of("gt")),
    "keep": (lambda dy, a, b, y: keep(dy, b), None),
    "drop": (lambda dy, a, b, y: drop(dy, b), None),
    **dict.fromkeys(("ge", "gt", "eq", "ne", "share", "floor_div"), (None, None)),
    "bce": (lambda dy, a, b, y: _mul(dy, _div(_sub(a, b), maximum(_mul(a, affine(a, -1, 1)),
                                                                  1e-12))),
            lambda dy, a, b, y: _mul(dy, _sub(_bce(a, 1.0), _bce(a, 0.0)))),
    "bce_logits": (lambda dy, a, b, y: _mul(dy, _sub(FUNCTIONS["sigmoid"](a), b)),
                   lambda dy, a, b, y: affine(_mul(dy, a), -1)),
}
