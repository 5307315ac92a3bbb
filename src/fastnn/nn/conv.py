"""Convolution layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.graph import ShapeError
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.conv2d import conv2d
from fastnn.ops.windows import pair, whole_number


class Conv2d(Module):
    """2-D convolution: (n, in_channels, h, w) -> (n, out_channels, h', w'), as torch.nn.Conv2d.

    Initial weights and bias are uniform in ±1/sqrt(fan_in).

    >>> Conv2d(3, 8, 3, padding=1)(np.ones((1, 3, 5, 5), np.float32)).shape
    (1, 8, 5, 5)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:
        super().__init__()
        in_channels = whole_number(in_channels, "in_channels")
        out_channels = whole_number(out_channels, "out_channels")
        groups = whole_number(groups, "groups")
        if in_channels % groups or out_channels % groups:
            raise ShapeError(f"Conv2d: groups {groups} must divide in_channels {in_channels} and "
                             f"out_channels {out_channels}")
        kernel = pair(kernel_size, "kernel_size", 1)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding = pair(stride, "stride", 1), padding
        self.dilation, self.groups = pair(dilation, "dilation", 1), groups
        shape = (out_channels, in_channels // groups, *kernel)
        self.weight = Parameter(np.empty(shape, np.float32))
        self.bias = Parameter(np.empty(out_channels, np.float32)) if bias else None
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(init.fans(shape)[0])
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation,
                      self.groups)

    def extra_repr(self) -> str:
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, padding={self.padding}, groups={self.groups}, "
                f"bias={self.bias is not None}")
