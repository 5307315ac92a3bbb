"""Unfold: the windows of images as columns; fold: columns added back into images."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.permute import permute
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.ops.tables import Table
from fastnn.ops.take import take_all
from fastnn.ops.windows import Pair, output_sizes, pair
from fastnn.spec import ShapeError, Spec, check_float


class _Windows:
    """Sizes of windows over images of one size, checked."""

    def __init__(self, name: str, size: Pair, kernel_size: Any, dilation: Any, padding: Any,
                 stride: Any) -> None:
        self.kernel, self.dilation = (pair(kernel_size, "kernel_size", 1),
                                      pair(dilation, "dilation", 1))
        self.padding, self.stride = pair(padding, "padding", 0), pair(stride, "stride", 1)
        self.size = size
        pads = ((self.padding[0],) * 2, (self.padding[1],) * 2)
        self.count = output_sizes(name, Spec((1, 1, *size)), self.kernel, self.stride, pads,
                                  self.dilation)

    def tables(self) -> list[Table]:
        """Of each axis: the places of element i of all windows, for each i; outside: padding."""
        found = []
        for kernel, count, stride, pad, dilation in zip(
                self.kernel, self.count, self.stride, self.padding, self.dilation, strict=True):
            places = np.arange(kernel)[:, None] * dilation + np.arange(count) * stride - pad
            found.append(Table(places.reshape(-1, 1)))
        return found


@operation()
def unfold(
    input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The windows of images as columns, as torch.nn.functional.unfold.

    input: (batch, channels, height, width) or without the batch; the result is
    (batch, channels * kernel height * kernel width, windows). Padding is with zeros.

    >>> from fastnn.graph import constant
    >>> unfold(constant(np.zeros((1, 3, 4, 5))), (2, 3)).shape
    (1, 18, 9)
    """
    x = as_tensor(input)
    if x.ndim == 3:
        y = unfold(reshape(x, 1, *x.shape), kernel_size, dilation, padding, stride)
        return reshape(y, *y.shape[1:])
    if x.ndim != 4:
        raise ShapeError("unfold: expected (batch, channels, height, width) or (channels, height, "
                         f"width), got shape {x.shape}")
    n, c, h, w = x.shape
    windows = _Windows("unfold", (h, w), kernel_size, dilation, padding, stride)
    (kh, kw), (rows, columns) = windows.kernel, windows.count
    y = reshape(take_all(x, (2, 3), windows.tables()), n, c, kh, rows, kw, columns)
    return reshape(permute(y, 0, 1, 2, 4, 3, 5), n, c * kh * kw, rows * columns)


@operation()
def fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Columns added into images: the adjoint of `unfold`, as torch.nn.functional.fold.

    input: (batch, channels * kernel height * kernel width, windows) or without the batch; the
    result is (batch, channels, *output_size), where windows overlap the sum.

    >>> from fastnn.graph import constant
    >>> fold(constant(np.zeros((1, 18, 9))), (4, 5), (2, 3)).shape
    (1, 3, 4, 5)
    """
    x = as_tensor(input)
    if x.ndim == 2:
        y = fold(reshape(x, 1, *x.shape), output_size, kernel_size, dilation, padding, stride)
        return reshape(y, *y.shape[1:])
    size = pair(output_size, "output_size", 1)
    windows = _Windows("fold", size, kernel_size, dilation, padding, stride)
    (kh, kw), (rows, columns) = windows.kernel, windows.count
    if x.ndim != 3 or x.shape[1] % (kh * kw) or x.shape[2] != rows * columns:
        raise ShapeError(f"fold: expected (batch, channels * {kh * kw}, {rows * columns}) for "
                         f"windows of {(kh, kw)} in images of {size}, got shape {x.shape}")
    check_float("fold", x.spec)
    n, c = x.shape[0], x.shape[1] // (kh * kw)
    y = permute(reshape(x, n, c, kh, kw, rows, columns), 0, 1, 2, 4, 3, 5)
    back = [table.transposed(length) for table, length in zip(windows.tables(), size, strict=True)]
    return take_all(reshape(y, n, c, kh * rows, kw * columns), (2, 3), back)
