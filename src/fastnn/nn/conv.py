"""Convolution layers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import choice, flag
from fastnn.graph import Tensor, as_tensor
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.conv1d import conv1d
from fastnn.ops.conv2d import conv2d, paddings
from fastnn.ops.conv_transpose1d import conv_transpose1d
from fastnn.ops.conv_transpose2d import conv_transpose2d, transposed_size
from fastnn.ops.pad import pad
from fastnn.ops.windows import numbers, whole_number
from fastnn.spec import ShapeError

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Base of all convolutions: arguments, parameters and initial values."""

    axes: ClassVar[int] = 2
    transposed: ClassVar[bool] = False
    output_padding: Any = 0

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any,
        dilation: Any, groups: int, bias: bool, padding_mode: str,
    ) -> None:
        super().__init__()
        self.in_channels = whole_number(in_channels, "in_channels")
        self.out_channels = whole_number(out_channels, "out_channels")
        self.groups = whole_number(groups, "groups")
        self.check_groups()
        self.kernel_size: Any = numbers(kernel_size, "kernel_size", 1, self.axes)
        self.stride: Any = numbers(stride, "stride", 1, self.axes)
        self.dilation: Any = numbers(dilation, "dilation", 1, self.axes)
        self.padding: Any = padding
        modes = PADDING_MODES[:1] if self.transposed else PADDING_MODES
        self.padding_mode = choice(padding_mode, "padding_mode", modes)
        self.weight = Parameter(np.empty(self.weight_shape(), np.float32))
        self.bias = None
        if flag(bias, "bias"):
            self.bias = Parameter(np.empty(self.out_channels, np.float32))
        self.reset_parameters()

    def check_groups(self) -> None:
        """Raise ShapeError unless the groups divide both numbers of channels."""
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(f"{type(self).__name__}: groups {self.groups} must divide in_channels "
                             f"{self.in_channels} and out_channels {self.out_channels}")

    def weight_shape(self) -> tuple[int, ...]:
        """(out, in / groups, *kernel_size), or with both exchanged if transposed."""
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return first, second // self.groups, *self.kernel_size

    def reset_parameters(self) -> None:
        """Give weight and bias new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(init.fans(self.weight.shape)[0])
            init.uniform_(self.bias, -bound, bound)

    def padded(self, x: Tensor) -> tuple[Tensor, Any]:
        """x padded as `padding_mode` says, and what padding is left to the convolution."""
        if self.padding_mode == "zeros":
            return x, self.padding
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(total // 2, total - total // 2) for total in totals]
        elif self.padding == "valid":
            return x, 0
        else:
            sides = [side if isinstance(side, tuple) else (side, side) for side in self.padding]
        pairs = [size for side in reversed(sides) for size in side]
        return pad(x, pairs, mode=self.padding_mode), 0

    def extra_repr(self) -> str:
        said = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}",
                f"stride={self.stride}"]
        zeros, ones = (0,) * self.axes, (1,) * self.axes
        said += [f"{name}={value}" for name, value, usual in (
            ("padding", self.padding, zeros), ("dilation", self.dilation, ones),
            ("output_padding", self.output_padding or zeros, zeros), ("groups", self.groups, 1),
            ("bias", self.bias is not None, True)) if value != usual]
        if self.padding_mode != "zeros":
            said.append(f"padding_mode={self.padding_mode}")
        return ", ".join(said)


class Conv1d(_Convolution):
    """1-D convolution: (n, in_channels, length) -> (n, out_channels, length'), as torch.nn.Conv1d.

    Arguments and formula as of `conv1d`; padding_mode: "zeros", "reflect", "replicate" or
    "circular". weight: (out_channels, in_channels / groups, kernel length); bias: (out_channels).
    Both start uniform in ±1/sqrt(fan_in).

    >>> Conv1d(3, 8, 3, padding=1)(np.ones((1, 3, 5), np.float32)).shape
    (1, 8, 5)
    """

    axes = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode)
        if isinstance(padding, str):  # both are early errors
            paddings(padding, (1, *self.kernel_size), (1, *self.stride), (1, *self.dilation))
        else:
            self.padding = numbers(padding, "padding", 0, 1)

    def forward(self, input: Any) -> Any:
        x, padding = self.padded(as_tensor(input))
        return conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """2-D convolution: (n, in_channels, h, w) -> (n, out_channels, h', w'), as torch.nn.Conv2d.

    Arguments and formula as of `conv2d`; padding_mode: "zeros", "reflect", "replicate" or
    "circular". weight: (out_channels, in_channels / groups, kernel height, kernel width); bias:
    (out_channels). Both start uniform in ±1/sqrt(fan_in).

    >>> Conv2d(3, 8, 3, padding=1)(np.ones((1, 3, 5, 5), np.float32)).shape
    (1, 8, 5, 5)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode)
        sides = paddings(padding, self.kernel_size, self.stride, self.dilation)  # an early error
        if not isinstance(padding, str):
            even = all(first == last for first, last in sides)
            self.padding = tuple(side[0] for side in sides) if even else sides

    def forward(self, input: Any) -> Any:
        x, padding = self.padded(as_tensor(input))
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Convolution):
    """Base of transposed convolutions: output_padding, or the size of the result."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride,
                         numbers(padding, "padding", 0, self.axes), dilation, groups, bias,
                         padding_mode)
        self.output_padding = numbers(output_padding, "output_padding", 0, self.axes)

    def extra(self, shape: tuple[int, ...], output_size: Any) -> tuple[int, ...]:
        """The output padding that gives results of this size; `output_padding` if it is None."""
        if output_size is None:
            return self.output_padding  # type: ignore[no-any-return]
        if isinstance(output_size, (tuple, list)) and len(output_size) > self.axes:
            output_size = output_size[-self.axes:]  # of a whole shape, as in PyTorch
        size = numbers(output_size, "output_size", 1, self.axes)
        axes = range(self.axes)
        least = [transposed_size(shape[len(shape) - self.axes + i], self.kernel_size[i],
                                 self.stride[i], self.padding[i], self.dilation[i]) for i in axes]
        most = [least[i] + self.stride[i] - 1 for i in axes]
        if not all(least[i] <= size[i] <= most[i] for i in axes):
            raise ShapeError(f"{type(self).__name__}: output_size {size} is not between "
                             f"{tuple(least)} and {tuple(most)}, which input {shape} can give")
        return tuple(size[i] - least[i] for i in axes)


class ConvTranspose1d(_ConvTranspose):
    """1-D transposed convolution, (n, in_channels, length) -> (n, out_channels, length').

    As torch.nn.ConvTranspose1d; arguments and formula as of `conv_transpose1d`. weight:
    (in_channels, out_channels / groups, kernel length); bias: (out_channels). Initial values are
    PyTorch's: uniform in ±1/sqrt(out_channels / groups * kernel length).

    >>> ConvTranspose1d(8, 3, 4, stride=2)(np.ones((1, 8, 5), np.float32)).shape
    (1, 3, 12)
    """

    axes = 1

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """output_size: the length of the result, instead of output_padding."""
        x = as_tensor(input)
        return conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding,
                                self.extra(x.shape, output_size), self.groups, self.dilation)


class ConvTranspose2d(_ConvTranspose):
    """2-D transposed convolution, (n, in_channels, h, w) -> (n, out_channels, h', w').

    As torch.nn.ConvTranspose2d; arguments and formula as of `conv_transpose2d`. weight:
    (in_channels, out_channels / groups, kernel height, kernel width); bias: (out_channels).
    Initial values are PyTorch's: uniform in ±1/sqrt(out_channels / groups * kernel area).

    >>> layer = ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> layer(np.ones((1, 8, 5, 5), np.float32)).shape
    (1, 3, 9, 9)
    """

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """output_size: (height, width) of the result, instead of output_padding."""
        x = as_tensor(input)
        return conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding,
                                self.extra(x.shape, output_size), self.groups, self.dilation)
