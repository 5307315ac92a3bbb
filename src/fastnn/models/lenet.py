"""LeNet-5 (LeCun et al., 1998)."""

from __future__ import annotations

from typing import Any

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.ops.windows import pair
from fastnn.spec import ShapeError

relu = pointwise.FUNCTIONS["relu"]


class LeNet(nn.Module):
    """Two 5x5 convolutions with pooling, then three linear layers; see `lenet`."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: Any = 28) -> None:
        super().__init__()
        size = pair(image_size, "image_size", 1)
        # LeCun et al. put 28x28 digits in a 32x32 frame; what is that large needs no padding.
        padding = 2 if min(size) < 32 else 0
        height, width = (((side + 2 * padding - 4) // 2 - 4) // 2 for side in size)
        if min(height, width) < 1:
            raise ShapeError(f"LeNet: images of {size} are too small; expected 12 or more a side")
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * height * width, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Any) -> Any:
        x = self.pool(relu(self.conv1(x)))
        x = self.pool(relu(self.conv2(x)))
        x = relu(self.fc2(relu(self.fc1(x.flatten(1)))))
        return self.fc3(x)


def lenet(num_classes: int = 10, in_channels: int = 1, image_size: Any = 28) -> LeNet:
    """LeNet-5 with ReLU and max-pooling, the way it is built today: 61,706 parameters.

    num_classes: outputs. in_channels, image_size: the input's; an integer is a square image.
    Raises ShapeError for images under 12x12. Source: LeCun, Bottou, Bengio and Haffner,
    "Gradient-based learning applied to document recognition", 1998.

    >>> import numpy as np
    >>> lenet()(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    return LeNet(num_classes, in_channels, image_size)
