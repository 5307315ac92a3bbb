"""Linear and bilinear layers, Flatten, Unflatten and Identity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arguments import flag, instance, integer
from fastnn.graph import as_tensor
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.bilinear import bilinear
from fastnn.ops.linear import linear
from fastnn.ops.reshape import check_axes, flatten, reshape
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError


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
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Give weight and bias new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class Bilinear(Module):
    """y[..., o] = Σ x1[..., i] W[o, i, j] x2[..., j] + b[o] of two inputs, as torch.nn.Bilinear.

    (..., in1_features) and (..., in2_features) -> (..., out_features). weight: (out_features,
    in1_features, in2_features). Initial values are uniform in ±1/sqrt(in1_features).

    >>> Bilinear(4, 5, 3)(np.ones((2, 4), np.float32), np.ones((2, 5), np.float32)).shape
    (2, 3)
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.in1_features = whole_number(in1_features, "in1_features")
        self.in2_features = whole_number(in2_features, "in2_features")
        self.out_features = out = whole_number(out_features, "out_features")
        self.weight = Parameter(np.empty((out, self.in1_features, self.in2_features), np.float32))
        self.bias = Parameter(np.empty(out, np.float32)) if flag(bias, "bias") else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Give weight and bias new initial values."""
        bound = 1.0 / math.sqrt(self.in1_features)
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")


class Flatten(Module):
    """Merge the axes start_dim .. end_dim into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = integer(start_dim, "start_dim"), integer(end_dim, "end_dim")

    def forward(self, input: Any) -> Any:
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into axes of the sizes `unflattened_size`, of which one may be -1.

    >>> Unflatten(1, (2, -1))(np.ones((4, 6), np.float32)).shape
    (4, 2, 3)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = integer(dim, "dim")
        sizes = instance(unflattened_size, "unflattened_size", (tuple, list))
        self.unflattened_size = tuple(integer(size, "a size of unflattened_size",
                                              "a size, or -1", -1) for size in sizes)
        if not sizes:
            raise ValueError("unflattened_size must have one size at least")

    def forward(self, input: Any) -> Any:
        x = as_tensor(input)
        (axis,) = check_axes(x, (self.dim,))
        return reshape(x, *x.shape[:axis], *self._sizes(x.shape[axis]), *x.shape[axis + 1:])

    def _sizes(self, size: int) -> tuple[int, ...]:
        """The sizes for an axis of this size, with the one that is -1."""
        wanted = self.unflattened_size
        known = math.prod(part for part in wanted if part != -1)
        filled = tuple(size // known if part == -1 and known else part for part in wanted)
        if wanted.count(-1) > 1 or math.prod(filled) != size:
            raise ShapeError(f"Unflatten: axis {self.dim} of size {size} has no parts of sizes "
                             f"{wanted}")
        return filled

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Identity(Module):
    """y = x; arguments are taken and have no effect, as in PyTorch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return as_tensor(input)
