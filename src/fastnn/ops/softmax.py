"""Softmax and log-softmax over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np

from fastnn.graph import Call, Composed, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.binary import mul, sub
from fastnn.ops.permute import transpose
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reshape import check_axes, reshape
from fastnn.spec import FLOAT, Spec, check_float, storage_axes


@dataclass(frozen=True)
class Softmax(Op):
    """y = exp(x) / Σ exp(x), or its logarithm, over the axis that is last in memory."""

    log: bool = False

    @property
    def name(self) -> str:
        return "log_softmax" if self.log else "softmax"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float(self.name, inputs[0])
        return inputs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(SoftmaxGrad(self.log), node.outputs[0], grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        return [Call(f"{self.name}_forward", (*node.inputs, *node.outputs), _rows(node.inputs[0]))]

    def flops(self, node: Node) -> float:
        return 10.0 * node.outputs[0].size


@dataclass(frozen=True)
class SoftmaxGrad(Composed):
    """dx = y (dy - Σ y dy), or for the logarithm dy - exp(y) Σ dy; inputs y, dy."""

    log: bool = False

    @property
    def name(self) -> str:
        return f"{Softmax(self.log).name}_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        y, dy = inputs
        axis = storage_axes(y.ndim)[-1]
        if self.log:
            return (sub(dy, mul(FUNCTIONS["exp"](y), sum(dy, axis, keepdim=True))),)
        return (mul(y, sub(dy, sum(mul(y, dy), axis, keepdim=True))),)

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.name, (*node.inputs, *node.outputs), _rows(node.inputs[0]))]


def _rows(x: Tensor) -> tuple[int, int]:
    classes = x.shape[storage_axes(x.ndim)[-1]]
    return x.size // classes, classes


def _over(name: str, input: Any, dim: int | None, dtype: Any) -> Tensor:
    x = as_tensor(input)
    if dtype is not None:
        if np.dtype(dtype) != FLOAT:
            raise TypeError(f"{name}: dtype must be None or float32, got {dtype!r}")
        x = as_float(x)
    if dim is None:  # PyTorch's rule for functions of images, lists and matrices
        dim = 0 if x.ndim in (0, 1, 3) else 1
        warn(f"{name}: without dim it is axis {dim} for an input of shape {x.shape}; name it",
             stacklevel=3)
    op = Softmax(name == "log_softmax")
    if not x.ndim:
        check_axes(reshape(x, (1,)), (dim,))
        return reshape(apply(op, reshape(x, (1,))), ())
    (axis,) = check_axes(x, (dim,))
    last = storage_axes(x.ndim)[-1]
    if axis == last:
        return apply(op, x)
    return transpose(apply(op, transpose(x, axis, last)), axis, last)


@operation("softmax")
def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / Σ exp(x) over the axis `dim`; sums to 1 along it.

    Results below 2^-126 are 0, and their logarithm is -inf; `log_softmax` is accurate for all x.
    Without dim it is axis 0 for ranks 0, 1 and 3, else 1, as in PyTorch, with a warning. dtype:
    None, or float32, which integers become before.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> softmax(constant(np.zeros((2, 3))), dim=1).shape
    (2, 3)
    """
    return _over("softmax", input, dim, dtype)


@operation("log_softmax")
def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3,
                dtype: Any = None) -> Tensor:
    """x - log Σ exp(x) over the axis `dim`, as accurate as x, however large its values are.

    dim, dtype: as for `softmax`.
    """
    return _over("log_softmax", input, dim, dtype)


@operation()
def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(-x) / Σ exp(-x) over the axis `dim`: softmax of -x.

    dim, dtype: as for `softmax`.
    """
    x = as_tensor(input) if dtype is None else as_float(input)
    return _over("softmax", FUNCTIONS["affine"](x, -1.0), dim, dtype)
