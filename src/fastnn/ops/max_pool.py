"""Max pooling of images and sequences, by windows and by bins; with the places of the maxima."""

from __future__ import annotations

import math
from typing import Any

from fastnn.arguments import flag
from fastnn.graph import Tensor, apply, apply_all, as_tensor
from fastnn.ops.images import as_batch, as_given
from fastnn.ops.max_places import MaxPlaces, PlacesOfOffsets
from fastnn.ops.max_pool2d import MOST_PLACES, MaxPool2d, Pooling
from fastnn.ops.public import operation
from fastnn.ops.windows import Pair, bins, numbers, strides_or_kernel

Pooled = Tensor | tuple[Tensor, Tensor]


@operation()
def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Pooled:
    """The largest value of each window, arguments as torch.nn.functional.max_pool2d.

    input: (batch, channels, height, width) or (channels, height, width). Returns (.., height',
    width'), with height' = (height + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1,
    rounded down, or up with ceil_mode (where the last window begins inside). With return_indices
    also the place, row * width + column, of each maximum: int64.

    At a tie the first wins; the gradient goes to the winner; a NaN wins over all, padding never.
    Raises ShapeError for windows that do not fit.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> max_pool2d(constant(np.zeros((1, 3, 8, 8))), 2).shape
    (1, 3, 4, 4)
    """
    return _max_pool("max_pool2d", as_tensor(input), 2, kernel_size, stride, padding, dilation,
                     ceil_mode, return_indices)


@operation()
def max_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Pooled:
    """The largest value of each window, arguments as torch.nn.functional.max_pool1d.

    input: (batch, channels, length) or (channels, length). All else as in `max_pool2d`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> max_pool1d(constant(np.zeros((1, 3, 8))), 2).shape
    (1, 3, 4)
    """
    return _max_pool("max_pool1d", as_tensor(input), 1, kernel_size, stride, padding, dilation,
                     ceil_mode, return_indices)


@operation()
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Pooled:
    """The largest value of each of the bins that divide an image into `output_size` parts.

    Bin i of n goes from floor(i height / n) to ceil((i + 1) height / n). output_size: a number, or
    two, where None keeps an axis. With return_indices also places, as in `max_pool2d`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> adaptive_max_pool2d(constant(np.zeros((1, 3, 7, 8))), (2, None)).shape
    (1, 3, 2, 8)
    """
    return _adaptive("adaptive_max_pool2d", as_tensor(input), 2, output_size, return_indices)


@operation()
def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Pooled:
    """The largest value of each of the bins that divide a sequence into `output_size` parts.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> adaptive_max_pool1d(constant(np.zeros((1, 3, 7))), 2).shape
    (1, 3, 2)
    """
    return _adaptive("adaptive_max_pool1d", as_tensor(input), 1, output_size, return_indices)


def _max_pool(
    name: str, x: Tensor, axes: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: Any, return_indices: Any,
) -> Pooled:
    images = as_batch(name, x, axes)
    kernel = numbers(kernel_size, "kernel_size", 1, axes)
    pooling = Pooling(
        _pair(kernel, 1), _pair(strides_or_kernel(stride, kernel), 1),
        _pair(numbers(padding, "padding", 0, axes), 0),
        _pair(numbers(dilation, "dilation", 1, axes), 1), flag(ceil_mode, "ceil_mode"))
    return _result(_pooled(images, pooling, return_indices), x, axes, return_indices)


def _pooled(images: Tensor, pooling: Pooling, return_indices: Any) -> tuple[Tensor, ...]:
    """Maxima and, if asked for, their places: by one-byte offsets where those are enough."""
    if math.prod(pooling.kernel) > MOST_PLACES:
        return apply_all(MaxPlaces(pooling.windows, pooling.size(images.spec)), images)
    y, offsets = apply_all(MaxPool2d(pooling), images)
    if not flag(return_indices, "return_indices"):
        return (y,)
    height, width = images.shape[2:]
    return y, apply(PlacesOfOffsets(pooling.windows, (height, width)), offsets)


def _adaptive(name: str, x: Tensor, axes: int, output_size: Any, return_indices: Any) -> Pooled:
    images = as_batch(name, x, axes)
    size, (height, width) = bins(images.shape, axes, output_size), images.shape[2:]
    kernel = height // size[0], width // size[1]
    even = height % size[0] == width % size[1] == 0
    if even and 0 < math.prod(kernel) <= MOST_PLACES:
        pooling = Pooling(kernel, kernel, (0, 0), (1, 1), False)
        found = _pooled(images, pooling, return_indices)
    else:
        found = apply_all(MaxPlaces((0, 0, 1, 1, 0, 0, 1, 1), size), images)
    return _result(found, x, axes, return_indices)


def _result(found: tuple[Tensor, ...], x: Tensor, axes: int, return_indices: Any) -> Pooled:
    y = as_given(found[0], x, axes)
    return (y, as_given(found[1], x, axes)) if flag(return_indices, "return_indices") else y


def _pair(values: tuple[int, ...], along_height: int) -> Pair:
    """A number for both axes of an image; a sequence has one."""
    first, second = (along_height, *values)[-2:]
    return first, second
