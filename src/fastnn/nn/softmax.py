"""Layers over an axis: softmax and its relatives, gates, and maxout."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import integer
from fastnn.graph import as_tensor
from fastnn.nn.module import Module
from fastnn.ops.activations import glu, maxout
from fastnn.ops.softmax import log_softmax, softmax, softmin
from fastnn.spec import ShapeError


class _OverAxis(Module):
    """A layer with the argument `dim`."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = None if dim is None else integer(dim, f"{type(self).__name__}: dim")

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_OverAxis):
    """exp(x) / Σ exp(x) over the axis `dim`; without dim as `fn.softmax`."""

    def forward(self, input: Any) -> Any:
        return softmax(input, self.dim)


class LogSoftmax(_OverAxis):
    """x - log Σ exp(x) over the axis `dim`; without dim as `fn.softmax`."""

    def forward(self, input: Any) -> Any:
        return log_softmax(input, self.dim)


class Softmin(_OverAxis):
    """exp(-x) / Σ exp(-x) over the axis `dim`; without dim as `fn.softmax`."""

    def forward(self, input: Any) -> Any:
        return softmin(input, self.dim)


class Softmax2d(Module):
    """Softmax over the channels of images (N, C, H, W) or of one image (C, H, W)."""

    def forward(self, input: Any) -> Any:
        x = as_tensor(input)
        if x.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d takes (N, C, H, W) or (C, H, W), got shape {x.shape}")
        return softmax(x, -3)


class GLU(Module):
    """a sigmoid(b), where a and b are the halves of the input along `dim` (Dauphin, 2017)."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = integer(dim, "GLU: dim")

    def forward(self, input: Any) -> Any:
        return glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Maxout(Module):
    """The largest of each `pool_size` neighbours along `dim`, 1 being the channels.

    Source: Goodfellow et al., "Maxout networks", 2013. PyTorch has no such layer.

    >>> import numpy as np
    >>> Maxout(2)(np.float32([[1, 5, 7, 3]]))
    array([[5., 7.]], dtype=float32)
    """

    def __init__(self, pool_size: int, dim: int = 1) -> None:
        super().__init__()
        self.pool_size = integer(pool_size, "Maxout: pool_size", "a whole number from 1 on", 1)
        self.dim = integer(dim, "Maxout: dim")

    def forward(self, input: Any) -> Any:
        return maxout(input, self.pool_size, self.dim)

    def extra_repr(self) -> str:
        return f"pool_size={self.pool_size}, dim={self.dim}"
