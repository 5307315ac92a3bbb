"""A value through which no gradient passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Node, Tensor, apply
from fastnn.ops.alias import Alias
from fastnn.ops.public import operation


@dataclass(frozen=True)
class Detach(Alias):
    """y = x, a view of x; the gradient ends here."""

    @property
    def name(self) -> str:
        return "detach"

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)


@operation("detach")
def detach(x: Any) -> Tensor:
    """x, through which no gradient passes, as torch.Tensor.detach.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> detach(constant(np.zeros((2, 3)))).shape
    (2, 3)
    """
    return apply(Detach(), x)
