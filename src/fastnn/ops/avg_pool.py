"""Average pooling of images and sequences, by windows and by bins, and power-average pooling."""

from __future__ import annotations

import math
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.adaptive_avg_pool2d import AdaptiveAvgPool2d
from fastnn.ops.avg_pool2d import AvgPool2d
from fastnn.ops.images import as_batch, as_given
from fastnn.ops.public import operation
from fastnn.ops.windows import MOST, bins, numbers, strides_or_kernel, whole_number


@operation()
def avg_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window, arguments as torch.nn.functional.avg_pool2d.

    input: (batch, channels, height, width) or (channels, height, width). Padding counts as zeros,
    or with count_include_pad=False not at all; sums are divided by divisor_override, if given.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> avg_pool2d(constant(np.zeros((1, 3, 8, 8))), 2).shape
    (1, 3, 4, 4)
    """
    divisor = 0
    if divisor_override is not None:
        divisor = whole_number(divisor_override, "avg_pool2d: divisor_override", -MOST)
    return _average("avg_pool2d", as_tensor(input), 2, kernel_size, stride, padding, ceil_mode,
                    count_include_pad, divisor)


@operation()
def avg_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window, arguments as torch.nn.functional.avg_pool1d.

    input: (batch, channels, length) or (channels, length).

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> avg_pool1d(constant(np.zeros((1, 3, 8))), 2).shape
    (1, 3, 4)
    """
    return _average("avg_pool1d", as_tensor(input), 1, kernel_size, stride, padding, ceil_mode,
                    count_include_pad, 0)


def _average(
    name: str, x: Tensor, axes: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: Any,
    count_include_pad: Any, divisor: int,
) -> Tensor:
    images, kernel = as_batch(name, x, axes), numbers(kernel_size, "kernel_size", 1, axes)
    height, width = (1, *kernel)[-2:]
    down, right = (1, *strides_or_kernel(stride, kernel))[-2:]
    top, left = (0, *numbers(padding, "padding", 0, axes))[-2:]
    op = AvgPool2d((height, width), (down, right), (top, left), flag(ceil_mode, "ceil_mode"),
                   flag(count_include_pad, "count_include_pad"), divisor)
    return as_given(apply(op, images), x, axes)


@operation()
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """The mean over bins that divide the image into `output_size` parts; None keeps an axis.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> adaptive_avg_pool2d(constant(np.zeros((1, 3, 8, 8))), 1).shape
    (1, 3, 1, 1)
    """
    return _adaptive("adaptive_avg_pool2d", as_tensor(input), 2, output_size)


@operation()
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """The mean over bins that divide the sequence into `output_size` parts.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> adaptive_avg_pool1d(constant(np.zeros((1, 3, 8))), 1).shape
    (1, 3, 1)
    """
    return _adaptive("adaptive_avg_pool1d", as_tensor(input), 1, output_size)


def _adaptive(name: str, x: Tensor, axes: int, output_size: Any) -> Tensor:
    images = as_batch(name, x, axes)
    op = AdaptiveAvgPool2d(bins(images.shape, axes, output_size))
    return as_given(apply(op, images), x, axes)


@operation()
def lp_pool2d(
    input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ x^norm_type)^(1 / norm_type) over each window, as torch.nn.functional.lp_pool2d.

    A sum below 0 (of odd powers) counts as it does there, where the root of it is a NaN.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> lp_pool2d(constant(np.ones((1, 3, 8, 8))), 2, 2).shape
    (1, 3, 4, 4)
    """
    kernel = numbers(kernel_size, "kernel_size", 1, 2)
    power = _power(norm_type)
    mean = avg_pool2d(as_tensor(input) ** power, kernel, stride, 0, ceil_mode)
    return _root(mean * math.prod(kernel), power)


@operation()
def lp_pool1d(
    input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ x^norm_type)^(1 / norm_type) over each window, as torch.nn.functional.lp_pool1d.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> lp_pool1d(constant(np.ones((1, 3, 8))), 2, 2).shape
    (1, 3, 4)
    """
    (kernel,) = numbers(kernel_size, "kernel_size", 1, 1)
    power = _power(norm_type)
    mean = avg_pool1d(as_tensor(input) ** power, kernel, stride, 0, ceil_mode)
    return _root(mean * kernel, power)


def _root(total: Tensor, power: float) -> Tensor:
    root: Tensor = total ** (1.0 / power)
    return root


def _power(norm_type: Any) -> float:
    return real(norm_type, "norm_type", "a number above 0", above=0)
