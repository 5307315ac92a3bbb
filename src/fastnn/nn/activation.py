"""Activation layers: one row each, from the pointwise function of the same name."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import choice, real
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.prelu import prelu
from fastnn.ops.windows import whole_number


class _Activation(Module):
    function = ""

    def forward(self, x: Any) -> Any:
        return FUNCTIONS[self.function](x)


class ReLU(_Activation):
    """max(0, x)."""

    function = "relu"

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    function = "sigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent."""

    function = "tanh"


class SiLU(_Activation):
    """x sigmoid(x)."""

    function = "silu"


class GELU(Module):
    """x Φ(x), or its tanh approximation (Hendrycks and Gimpel, 2016)."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = choice(approximate, "approximate", ("none", "tanh"))

    def forward(self, x: Any) -> Any:
        return FUNCTIONS["gelu_tanh" if self.approximate == "tanh" else "gelu"](x)


class LeakyReLU(Module):
    """x if x > 0 else negative_slope * x."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = real(negative_slope, "negative_slope")

    def forward(self, x: Any) -> Any:
        return FUNCTIONS["leaky_relu"](x, self.negative_slope)


class PReLU(Module):
    """x if x > 0 else weight * x: one learned slope, or one for each channel (He et al., 2015)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = whole_number(num_parameters, "num_parameters")
        slopes = np.full(self.num_parameters, real(init, "init"), np.float32)
        self.weight = Parameter(slopes)

    def forward(self, x: Any) -> Any:
        return prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x if x > 0 else alpha * (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = real(alpha, "alpha")

    def forward(self, x: Any) -> Any:
        return FUNCTIONS["elu"](x, self.alpha)
