"""Linear layers, Flatten and Identity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.arguments import flag, integer
from fastnn.graph import as_tensor
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.linear import linear
from fastnn.ops.reshape import flatten
from fastnn.ops.windows import whole_number


class Linear(Module):
    """y = x Wᵀ + b over the last axis: (..., in_features) -> (..., out_features).

    Initial weights and bias are uniform in ±1/sqrt(in_features), as in PyTorch.

    >>> Linear(4, 3)(np.ones((2, 4), np.float32)).shape
    (2, 3)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        in_features = whole_number(in_features, "in_features")
        out_features = whole_number(out_features, "out_features")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if flag(bias, "bias") else None
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class Flatten(Module):
    """Merge the axes start_dim .. end_dim into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = integer(start_dim, "start_dim"), integer(end_dim, "end_dim")

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)


class Identity(Module):
    """y = x."""

    def forward(self, x: Any) -> Any:
        return as_tensor(x)
