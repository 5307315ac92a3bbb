"""Stochastic depth, the regularisation of residual nets."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import choice, real
from fastnn.nn.module import Module
from fastnn.ops.stochastic_depth import MODES, stochastic_depth


class StochasticDepth(Module):
    """In training, zero whole examples with probability p and divide the others by 1 - p.

    It stands at the end of a residual branch, which an example then skips. mode: "row" draws for
    each example, "batch" once for all. As torchvision.ops.StochasticDepth.
    (Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", 2016)

    Raises ValueError for a p outside of [0, 1] or another mode.

    >>> import numpy as np
    >>> branch = StochasticDepth(0.5, "row")
    >>> branch(np.ones((4, 3), np.float32)).shape
    (4, 3)
    >>> float(branch.eval()(np.ones((1, 1), np.float32)).item())
    1.0
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = real(p, "StochasticDepth's probability p", "a number from 0 to 1", 0, 1)
        self.mode = choice(mode, "StochasticDepth: mode", MODES)

    def forward(self, input: Any) -> Any:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"
