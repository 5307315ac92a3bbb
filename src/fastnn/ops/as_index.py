"""Floats as int64, without their fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.public import operation
from fastnn.spec import INDEX, Spec, check_float


@dataclass(frozen=True)
class AsIndex(Op):
    """y = x without its fraction, as int64; no gradient."""

    @property
    def name(self) -> str:
        return "as_index"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float("long", *inputs)
        return (Spec(inputs[0].shape, INDEX),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return True

    def lower(self, node: Node) -> list[Call]:
        return [Call("index_of_float", (*node.inputs, *node.outputs), (node.outputs[0].numel(),))]


@operation("long")
def long(input: Any) -> Tensor:
    """`input` as int64: floats lose their fraction; a NaN becomes the least int64. `x.long()`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> long(constant(np.array([1.5, -1.5]))).dtype
    dtype('int64')
    """
    x = as_tensor(input)
    return x if x.dtype == INDEX else apply(AsIndex(), x)


@operation("type_as")
def type_as(input: Any, other: Any) -> Tensor:
    """`input` with the dtype of `other`: float32 or int64."""
    return long(input) if as_tensor(other).dtype == INDEX else as_float(input)
