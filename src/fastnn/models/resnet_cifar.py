"""The narrow residual nets for CIFAR of He et al. (2015), section 4.2."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.arguments import integer
from fastnn.graph import constant
from fastnn.models.resnet import conv3x3, initialise, stage
from fastnn.ops.concat import cat
from fastnn.ops.expand import expand

relu = pointwise.FUNCTIONS["relu"]


class PlainShortcut(nn.Module):
    """A shortcut without parameters: every `stride`-th pixel, and channels of zeros behind.

    The paper's option A.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x: Any) -> Any:
        if self.stride != 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if not self.extra:
            return x
        batch, _, height, width = x.shape
        zeros = expand(constant(np.zeros((1, 1, 1, 1))), batch, self.extra, height, width)
        return cat([x, zeros], 1)


class CifarResNet(nn.Module):
    """A 3x3 stem and three stages of 16, 32 and 64 channels; see `resnet20`."""

    def __init__(self, depth: int, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        depth = integer(depth, "depth", "an integer below a million", most=999_999)
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth must be 6 n + 2 with n >= 1, got {depth}")
        count = (depth - 2) // 6
        self.conv1 = conv3x3(in_channels, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, count, stride=1)
        self.layer2 = stage(16, 32, count, 2, PlainShortcut)
        self.layer3 = stage(32, 64, count, 2, PlainShortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        self.apply(initialise)

    def forward(self, x: Any) -> Any:
        x = relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


def resnet20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-20 for CIFAR: 16, 32 and 64 channels, shortcuts without parameters.

    num_classes: outputs. in_channels: the input's; images of any size. Source: He, Zhang, Ren and
    Sun, "Deep residual learning for image recognition", 2015, section 4.2.

    >>> sum(parameter.size for parameter in resnet20().parameters())
    269722
    """
    return CifarResNet(20, num_classes, in_channels)


def resnet32(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-32 for CIFAR; arguments as `resnet20`."""
    return CifarResNet(32, num_classes, in_channels)


def resnet44(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-44 for CIFAR; arguments as `resnet20`."""
    return CifarResNet(44, num_classes, in_channels)


def resnet56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-56 for CIFAR; arguments as `resnet20`."""
    return CifarResNet(56, num_classes, in_channels)


def resnet110(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-110 for CIFAR; arguments as `resnet20`."""
    return CifarResNet(110, num_classes, in_channels)
