"""Local response normalisation, as of AlexNet: each value by its neighbours in other channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import Tensor, as_tensor, constant
from fastnn.ops.binary import div
from fastnn.ops.conv2d import conv2d
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError, check_float


@operation()
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """y = x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta.

    As torch.nn.functional.local_response_norm. The window of channel c begins at c - size // 2;
    beyond the first and last channel there are zeros. input: (batch, channels, places, ...).

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks", 2012.

    >>> from fastnn.graph import constant
    >>> local_response_norm(constant(np.ones((2, 6, 4, 4))), 5).shape
    (2, 6, 4, 4)
    """
    x, size = as_tensor(input), whole_number(size, "local_response_norm: size")
    alpha, beta, k = (real(value, f"local_response_norm: {name}")
                      for name, value in (("alpha", alpha), ("beta", beta), ("k", k)))
    check_float("local_response_norm", x.spec)
    if x.ndim < 3:
        raise ShapeError("local_response_norm: expected (batch, channels, places, ...), got shape "
                         f"{x.shape}")
    if x.spec.size == 0:
        return x
    image = x if x.ndim == 4 else reshape(x, *x.shape[:2], 1, math.prod(x.shape[2:]))
    sums = conv2d(FUNCTIONS["square"](image), constant(_windows(x.shape[1], size)))
    scale = FUNCTIONS["power"](FUNCTIONS["affine"](sums, alpha, k), beta)
    return reshape(div(image, scale), x.shape)


def _windows(channels: int, size: int) -> np.ndarray:
    """Weights of a 1x1 convolution that takes means over windows of channels.

    A product with a matrix, so that channels stay where they are in memory.
    """
    ahead = np.arange(channels) - np.arange(channels)[:, None] + size // 2
    inside = (ahead >= 0) & (ahead < size)
    return (inside / np.float32(size)).astype(np.float32)[:, :, None, None]
