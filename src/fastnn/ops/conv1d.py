"""1-D convolution: a 2-D convolution of images of height 1.

Fusion removes the reshapes between 1-D layers (`plan/fusion/reshapes.py`).
"""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.conv2d import conv2d
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.ops.unbatched import as_batch, as_it_came
from fastnn.ops.windows import check_sequences, numbers, whole_number


@operation()
def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """1-D convolution, arguments as torch.nn.functional.conv1d.

    input: (batch, channels, length), or one sequence without the axis of the batch, as is then the
    result; weight: (out, channels / groups, kernel length); bias: (out). stride, padding, dilation:
    a number, or a tuple of one; padding may also be "valid" (none) or "same" (output as long as
    the input; stride 1). Returns (batch, out, length'), with
    length' = (length + 2 padding - dilation (kernel length - 1) - 1) // stride + 1.

    Raises ShapeError for arguments that do not fit.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> conv1d(constant(np.zeros((1, 3, 8))), np.zeros((16, 3, 3)), padding=1).shape
    (1, 16, 8)
    """
    x, weight = as_tensor(input), as_tensor(weight)
    check_sequences("conv1d weight", weight.spec)
    number = whole_number(groups, "groups")
    x, single = as_batch("conv1d", x, 3, weight.shape[1] * number,
                         f"weight {weight.shape} in {number} group(s)")
    (step,), (spread,) = numbers(stride, "stride", 1, 1), numbers(dilation, "dilation", 1, 1)
    pads = padding if isinstance(padding, str) else (0, *numbers(padding, "padding", 0, 1))
    y = conv2d(as_image(x), as_image(weight), bias, (1, step), pads, (1, spread), number)
    return as_it_came(as_sequence(y), single)


def as_image(x: Tensor) -> Tensor:
    """(n, c, length) as (n, c, 1, length)."""
    return reshape(x, *x.shape[:2], 1, x.shape[2])


def as_sequence(y: Tensor) -> Tensor:
    """(n, c, 1, length) as (n, c, length)."""
    return reshape(y, *y.shape[:2], y.shape[3])
