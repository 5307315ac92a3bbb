"""Class numbers and other integers as float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.spec import FLOAT, Spec


@dataclass(frozen=True)
class AsFloat(Op):
    """y = x, int64 rounded to float32; no gradient."""

    @property
    def name(self) -> str:
        return "as_float"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(inputs[0].shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return True

    def lower(self, node: Node) -> list[Call]:
        return [Call("float_of_index", (*node.inputs, *node.outputs), (node.outputs[0].numel(),))]


def as_float(x: Any) -> Tensor:
    """x as float32: integers become the nearest float32, floats stay as they are. `x.float()`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> as_float(constant(np.arange(3))).dtype
    dtype('float32')
    """
    x = as_tensor(x)
    return x if x.dtype == FLOAT else apply(AsFloat(), x)
