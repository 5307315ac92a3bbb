"""1-D pooling: 2-D pooling of images of height 1."""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.avg_pool2d import avg_pool2d
from fastnn.ops.conv1d import as_image, as_sequence
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.public import operation
from fastnn.ops.windows import check_sequences, numbers


@operation()
def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value of each window, arguments as torch.nn.functional.max_pool1d.

    x: (batch, channels, length). The gradient goes to the first winner of each window.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> max_pool1d(constant(np.zeros((1, 3, 8))), 2).shape
    (1, 3, 4)
    """
    kernel, step, pad = _window(kernel_size, stride, padding)
    (spread,) = numbers(dilation, "dilation", 1, 1)
    image = _checked("max_pool1d", x)
    return as_sequence(max_pool2d(image, (1, kernel), (1, step), (0, pad), (1, spread), ceil_mode))


@operation()
def avg_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window, arguments as torch.nn.functional.avg_pool1d.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> avg_pool1d(constant(np.zeros((1, 3, 8))), 2).shape
    (1, 3, 4)
    """
    kernel, step, pad = _window(kernel_size, stride, padding)
    image = _checked("avg_pool1d", x)
    return as_sequence(avg_pool2d(image, (1, kernel), (1, step), (0, pad), ceil_mode,
                                  count_include_pad))


@operation()
def adaptive_avg_pool1d(x: Any, output_size: Any) -> Tensor:
    """The mean over bins that divide the sequence into `output_size` parts.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> adaptive_avg_pool1d(constant(np.zeros((1, 3, 8))), 1).shape
    (1, 3, 1)
    """
    (size,) = numbers(output_size, "output_size", 1, 1)
    return as_sequence(adaptive_avg_pool2d(_checked("adaptive_avg_pool1d", x), (1, size)))


def _window(kernel_size: Any, stride: Any, padding: Any) -> tuple[int, int, int]:
    (kernel,), (pad,) = numbers(kernel_size, "kernel_size", 1, 1), numbers(padding, "padding", 0, 1)
    (step,) = (kernel,) if stride is None else numbers(stride, "stride", 1, 1)
    return kernel, step, pad


def _checked(name: str, x: Any) -> Tensor:
    x = as_tensor(x)
    check_sequences(name, x.spec)
    return as_image(x)
