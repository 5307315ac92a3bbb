"""Softmax and log-softmax over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.permute import transpose
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes
from fastnn.spec import Spec, check_float, storage_axes


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
class SoftmaxGrad(Op):
    """dx = y (dy - Σ y dy), or for the logarithm dy - exp(y) Σ dy; inputs y, dy."""

    log: bool = False

    @property
    def name(self) -> str:
        return f"{Softmax(self.log).name}_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.name, (*node.inputs, *node.outputs), _rows(node.inputs[0]))]


def _rows(x: Tensor) -> tuple[int, int]:
    classes = x.shape[storage_axes(x.ndim)[-1]]
    return x.size // classes, classes


def _over(x: Any, dim: int, log: bool) -> Tensor:
    x = as_tensor(x)
    (axis,) = check_axes(x, (dim,))
    last = storage_axes(x.ndim)[-1]
    if axis == last:
        return apply(Softmax(log), x)
    return transpose(apply(Softmax(log), transpose(x, axis, last)), axis, last)


@operation("softmax")
def softmax(x: Any, dim: int) -> Tensor:
    """exp(x) / Σ exp(x) over the axis `dim`; sums to 1 along it.

    Results below 2^-126 are 0, and their logarithm is -inf; `log_softmax` is accurate for all x.
    """
    return _over(x, dim, log=False)


@operation("log_softmax")
def log_softmax(x: Any, dim: int) -> Tensor:
    """x - log Σ exp(x) over the axis `dim`, as accurate as x, however large its values are."""
    return _over(x, dim, log=True)
