"""A small convolutional net for small images: the default of `fastnn train`."""

from __future__ import annotations

from typing import Any

from fastnn import nn


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)  # BN's shift replaces the bias
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


class CNN(nn.Module):
    """Four conv-BN-ReLU blocks with max-pooling, then one linear layer; see `cnn`."""

    def __init__(
        self, num_classes: int = 10, in_channels: int = 1, width: int = 32, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(in_channels, width), nn.MaxPool2d(2),
            *_block(width, 2 * width), *_block(2 * width, 2 * width), nn.MaxPool2d(2),
            *_block(2 * width, 4 * width),
        )
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * width * 9, num_classes)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.features(x))
        return self.head(self.dropout(x.flatten(1)))


def cnn(
    num_classes: int = 10, in_channels: int = 1, width: int = 32, dropout: float = 0.2
) -> CNN:
    """A small net of four conv-BN-ReLU blocks; about 141,000 parameters for width 32.

    num_classes: outputs. in_channels: the input's; images of any size from 4x4. width: channels
    of the first block; two have 2 times and the last 4 times as many. dropout: before the last
    layer.

    >>> import numpy as np
    >>> cnn()(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    return CNN(num_classes, in_channels, width, dropout)
