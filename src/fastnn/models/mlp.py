"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import nn
from fastnn.arguments import instance
from fastnn.ops.windows import pair, whole_number


def mlp(
    num_classes: int = 10, in_channels: int = 1, image_size: Any = 28,
    hidden: Sequence[int] = (512, 512),
) -> nn.Sequential:
    """Fully connected layers with ReLU between them; by default 784-512-512-10.

    num_classes: outputs. in_channels, image_size: the size of the input, which is flattened; an
    integer is a square image. hidden: units of each hidden layer.

    >>> import numpy as np
    >>> mlp(hidden=[32])(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    height, width = pair(image_size, "image_size", 1)
    in_channels = whole_number(in_channels, "in_channels")
    hidden = [whole_number(units, "hidden") for units in instance(hidden, "hidden", (list, tuple))]
    sizes = [in_channels * height * width, *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip(sizes, hidden, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))
