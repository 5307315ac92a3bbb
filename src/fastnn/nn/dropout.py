"""Dropout."""

from __future__ import annotations

from typing import Any

from fastnn.nn.module import Module
from fastnn.ops.dropout import dropout


class Dropout(Module):
    """In training, zero a share p of the values and divide the others by 1 - p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"dropout probability must be in [0, 1], got {p}")
        self.p = p

    def forward(self, x: Any) -> Any:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
