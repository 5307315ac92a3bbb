"""Dropout of values, of channels and of weights."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import flag, real
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter, standing_in
from fastnn.ops.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    rrelu,
)


class Dropout(Module):
    """In training, zero a share p of the values and divide the others by 1 - p.

    inplace has no effect.
    """

    function = staticmethod(dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        name = type(self).__name__
        self.p = real(p, f"{name}'s probability p", "a number from 0 to 1", 0, 1)
        self.inplace = flag(inplace, "inplace")

    def forward(self, x: Any) -> Any:
        return self.function(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(Dropout):
    """Dropout of whole channels of (batch, channels, length), as torch.nn.Dropout1d."""

    function = staticmethod(dropout1d)


class Dropout2d(Dropout):
    """Dropout of whole channels of (batch, channels, height, width), as torch.nn.Dropout2d."""

    function = staticmethod(dropout2d)


class Dropout3d(Dropout):
    """Dropout of whole channels of (batch, channels, depth, height, width): torch.nn.Dropout3d."""

    function = staticmethod(dropout3d)


class AlphaDropout(Dropout):
    """Dropout for nets of SELU that keeps mean and variance, as torch.nn.AlphaDropout."""

    function = staticmethod(alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """AlphaDropout of whole channels, as torch.nn.FeatureAlphaDropout."""

    function = staticmethod(feature_alpha_dropout)


class RReLU(Module):
    """Leaky ReLU with slopes drawn from [lower, upper) in training, as torch.nn.RReLU."""

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = real(lower, "lower")
        self.upper = real(upper, "upper", f"a number from lower, {lower}, on", self.lower)
        self.inplace = flag(inplace, "inplace")

    def forward(self, x: Any) -> Any:
        return rrelu(x, self.lower, self.upper, self.training)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


class DropConnect(Module):
    """In training, zero a share p of a module's weights and divide the others by 1 - p.

    y = f(x; M * W / (1 - p)), where each M_ij is 0 with probability p, else 1. Every call draws one
    mask for its whole batch. It covers all parameters of two or more axes, also of inner modules,
    but no biases and norms. Evaluation uses all weights. The mask is never stored: a recomputation
    and a resumed run draw the same one.
    (Wan, Zeiler, Zhang, LeCun and Fergus, "Regularization of neural networks using DropConnect",
    2013)

    module: any Module with weights, which keeps its own names below "module". Raises TypeError for
    anything else, ValueError for a p outside of [0, 1] or a module without weights.

    >>> from fastnn.nn.linear import Linear
    >>> layer = DropConnect(Linear(4, 3), 0.5)
    >>> layer([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 3)
    >>> [name for name, _ in layer.named_parameters()]
    ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, p: float = 0.5) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(f"DropConnect takes a Module, got {type(module).__name__}")
        self.module = module
        self.p = real(p, "DropConnect's probability p", "a number from 0 to 1", 0, 1)
        if not self._weights():
            raise ValueError(f"DropConnect needs a module with weights, got {module!r}")

    def _weights(self) -> list[Parameter]:
        return [parameter for parameter in self.module.parameters() if parameter.ndim > 1]

    def forward(self, *inputs: Any) -> Any:
        weights = self._weights() if self.training else []
        with standing_in({weight: dropout(weight, self.p) for weight in weights}):
            return self.module(*inputs)

    def extra_repr(self) -> str:
        return f"p={self.p}"
