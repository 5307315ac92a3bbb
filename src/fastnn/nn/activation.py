"""Activation layers, element by element: each calls the function of its formula."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import choice, real
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.activations import gelu, relu6
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.prelu import prelu
from fastnn.ops.windows import whole_number


class _Activation(Module):
    """A layer that applies `function` with those of its attributes that `arguments` names."""

    function: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()
    inplace = False

    def _set(self, **values: Any) -> None:
        """Set the arguments, and compute nothing with them but whether the function takes them."""
        for name, value in values.items():
            setattr(self, name, real(value, f"{type(self).__name__}: {name}"))

    def forward(self, input: Any) -> Any:
        return FUNCTIONS[self.function](input, *(getattr(self, name) for name in self.arguments))

    def extra_repr(self) -> str:
        shown = [f"{name}={getattr(self, name)}" for name in self.arguments]
        return ", ".join(shown + ["inplace=True"] * bool(self.inplace))


class _Plain(_Activation):
    """One without numbers, that PyTorch may compute in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(_Plain):
    """max(0, x)."""

    function = "relu"


class ReLU6(_Plain):
    """min(max(0, x), 6) (Krizhevsky, 2010)."""

    def forward(self, input: Any) -> Any:
        return relu6(input)


class SiLU(_Plain):
    """x sigmoid(x)."""

    function = "silu"


class Mish(_Plain):
    """x tanh(log(1 + exp(x))) (Misra, 2019)."""

    function = "mish"


class SELU(_Plain):
    """ELU with a scale that keeps mean and variance (Klambauer et al., 2017)."""

    function = "selu"


class Hardsigmoid(_Plain):
    """min(max(x + 3, 0), 6) / 6."""

    function = "hardsigmoid"


class Hardswish(_Plain):
    """x min(max(x + 3, 0), 6) / 6 (Howard et al., 2019)."""

    function = "hardswish"


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    function = "sigmoid"


class LogSigmoid(_Activation):
    """log(1 / (1 + exp(-x))), accurate for all x."""

    function = "logsigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent."""

    function = "tanh"


class Tanhshrink(_Activation):
    """x - tanh(x)."""

    function = "tanhshrink"


class Softsign(_Activation):
    """x / (1 + |x|)."""

    function = "softsign"


class Hardtanh(_Activation):
    """min(max(x, min_val), max_val)."""

    function = "hardtanh"
    arguments = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self._set(min_val=min_val, max_val=max_val)
        self.inplace = inplace
        if self.min_val >= self.max_val:
            raise ValueError(f"Hardtanh: min_val {min_val} must be below max_val {max_val}")


class Threshold(_Activation):
    """x if x > threshold else value."""

    function = "threshold"
    arguments = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self._set(threshold=threshold, value=value)
        self.inplace = inplace


class LeakyReLU(_Activation):
    """x if x > 0 else negative_slope * x."""

    function = "leaky_relu"
    arguments = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self._set(negative_slope=negative_slope)
        self.inplace = inplace


class ELU(_Activation):
    """x if x > 0 else alpha * (exp(x) - 1)."""

    function = "elu"
    arguments = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self._set(alpha=alpha)
        self.inplace = inplace


class CELU(ELU):
    """x if x > 0 else alpha * (exp(x / alpha) - 1), for an alpha that is not 0 (Barron, 2017)."""

    function = "celu"


class Softplus(_Activation):
    """log(1 + exp(beta * x)) / beta, and x where beta * x > threshold; beta is not 0."""

    function = "softplus"
    arguments = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self._set(beta=beta, threshold=threshold)


class Hardshrink(_Activation):
    """0 if -lambd <= x <= lambd else x."""

    function = "hardshrink"
    arguments = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self._set(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Hardshrink):
    """x moved towards 0 by lambd, 0 if |x| <= lambd; lambd is 0 or more."""

    function = "softshrink"


class GELU(Module):
    """x Φ(x), or its tanh approximation (Hendrycks and Gimpel, 2016)."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = choice(approximate, "approximate", ("none", "tanh"))

    def forward(self, input: Any) -> Any:
        return gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class PReLU(Module):
    """x if x > 0 else weight * x: one learned slope, or one for each channel (He et al., 2015)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = whole_number(num_parameters, "num_parameters")
        slopes = np.full(self.num_parameters, real(init, "init"), np.float32)
        self.weight = Parameter(slopes)

    def forward(self, input: Any) -> Any:
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
