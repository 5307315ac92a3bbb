"""Convolution layers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import flag
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.conv1d import conv1d
from fastnn.ops.conv2d import conv2d, paddings
from fastnn.ops.conv_transpose2d import conv_transpose2d, transposed_size
from fastnn.ops.windows import numbers, pair, whole_number
from fastnn.spec import ShapeError


class _Convolution(Module):
    """Base of all convolutions: arguments, parameters and initial values."""

    axes: ClassVar[int] = 2

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any,
        dilation: Any, groups: int, bias: bool, transposed: bool,
    ) -> None:
        super().__init__()
        self.in_channels = whole_number(in_channels, "in_channels")
        self.out_channels = whole_number(out_channels, "out_channels")
        self.groups = whole_number(groups, "groups")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(f"{type(self).__name__}: groups {groups} must divide in_channels "
                             f"{in_channels} and out_channels {out_channels}")
        self.kernel_size: Any = numbers(kernel_size, "kernel_size", 1, self.axes)
        self.stride: Any = numbers(stride, "stride", 1, self.axes)
        self.dilation: Any = numbers(dilation, "dilation", 1, self.axes)
        self.padding = padding
        first, second = self.out_channels, self.in_channels
        if transposed:
            first, second = second, first
        shape = (first, second // self.groups, *self.kernel_size)
        self.weight = Parameter(np.empty(shape, np.float32))
        self.bias = None
        if flag(bias, "bias"):
            self.bias = Parameter(np.empty(self.out_channels, np.float32))
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(init.fans(shape)[0])
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
                f"groups={self.groups}, bias={self.bias is not None}")


class Conv1d(_Convolution):
    """1-D convolution: (n, in_channels, length) -> (n, out_channels, length'), as torch.nn.Conv1d.

    Arguments and formula as of `conv1d`. weight: (out_channels, in_channels / groups, kernel
    length); bias: (out_channels). Both start uniform in ±1/sqrt(fan_in).

    >>> Conv1d(3, 8, 3, padding=1)(np.ones((1, 3, 5), np.float32)).shape
    (1, 8, 5)
    """

    axes = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, transposed=False)
        if isinstance(padding, str):
            paddings(padding, (1, *self.kernel_size), (1, *self.stride), (1, *self.dilation))
        else:
            numbers(padding, "padding", 0, 1)  # an early error

    def forward(self, x: Any) -> Any:
        return conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation,
                      self.groups)


class Conv2d(_Convolution):
    """2-D convolution: (n, in_channels, h, w) -> (n, out_channels, h', w'), as torch.nn.Conv2d.

    Arguments and formula as of `conv2d`. weight: (out_channels, in_channels / groups, kernel
    height, kernel width); bias: (out_channels). Both start uniform in ±1/sqrt(fan_in).

    >>> Conv2d(3, 8, 3, padding=1)(np.ones((1, 3, 5, 5), np.float32)).shape
    (1, 8, 5, 5)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, transposed=False)
        paddings(padding, self.kernel_size, self.stride, self.dilation)  # an early error

    def forward(self, x: Any) -> Any:
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation,
                      self.groups)


class ConvTranspose2d(_Convolution):
    """2-D transposed convolution, (n, in_channels, h, w) -> (n, out_channels, h', w').

    As torch.nn.ConvTranspose2d; arguments and formula as of `conv_transpose2d`. weight:
    (in_channels, out_channels / groups, kernel height, kernel width); bias: (out_channels).
    Initial values are PyTorch's: uniform in ±1/sqrt(out_channels / groups * kernel area).

    >>> layer = ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> layer(np.ones((1, 8, 5, 5), np.float32)).shape
    (1, 3, 9, 9)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride,
                         pair(padding, "padding", 0), dilation, groups, bias, transposed=True)
        self.output_padding = pair(output_padding, "output_padding", 0)

    def forward(self, x: Any, output_size: Any = None) -> Any:
        """output_size: (height, width) of the result, instead of output_padding."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(x.shape, pair(output_size, "output_size", 1))
        return conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, extra,
                                self.groups, self.dilation)

    def _extra(self, shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
        least = [transposed_size(shape[2 + i], self.kernel_size[i], self.stride[i],
                                 self.padding[i], self.dilation[i]) for i in (0, 1)]
        most = [least[i] + self.stride[i] - 1 for i in (0, 1)]
        if not all(least[i] <= size[i] <= most[i] for i in (0, 1)):
            raise ShapeError(f"ConvTranspose2d: output_size {size} is not between {tuple(least)} "
                             f"and {tuple(most)}, which input {shape} can give")
        return size[0] - least[0], size[1] - least[1]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output_padding={self.output_padding}"
