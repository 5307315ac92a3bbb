"""MobileNetV3 (Howard et al., 2019), named as in torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from fastnn import nn
from fastnn.models.blocks import SqueezeExcitation, conv_norm, divisible, initialise

norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
conv_norm = partial(conv_norm, norm=norm)


class Row(NamedTuple):
    """A block, as the tables of the paper list them."""

    kernel: int
    expanded: int  # channels of the depthwise convolution
    channels: int
    squeezed: bool  # has squeeze and excitation
    activation: type[nn.Module]
    stride: int


RE, HS = nn.ReLU, nn.Hardswish
SMALL = (
    Row(3, 16, 16, True, RE, 2), Row(3, 72, 24, False, RE, 2), Row(3, 88, 24, False, RE, 1),
    Row(5, 96, 40, True, HS, 2), Row(5, 240, 40, True, HS, 1), Row(5, 240, 40, True, HS, 1),
    Row(5, 120, 48, True, HS, 1), Row(5, 144, 48, True, HS, 1), Row(5, 288, 96, True, HS, 2),
    Row(5, 576, 96, True, HS, 1), Row(5, 576, 96, True, HS, 1))
LARGE = (
    Row(3, 16, 16, False, RE, 1), Row(3, 64, 24, False, RE, 2), Row(3, 72, 24, False, RE, 1),
    Row(5, 72, 40, True, RE, 2), Row(5, 120, 40, True, RE, 1), Row(5, 120, 40, True, RE, 1),
    Row(3, 240, 80, False, HS, 2), Row(3, 200, 80, False, HS, 1), Row(3, 184, 80, False, HS, 1),
    Row(3, 184, 80, False, HS, 1), Row(3, 480, 112, True, HS, 1), Row(3, 672, 112, True, HS, 1),
    Row(5, 672, 160, True, HS, 2), Row(5, 960, 160, True, HS, 1), Row(5, 960, 160, True, HS, 1))


class InvertedResidual(nn.Module):
    """x + project(squeeze(depthwise(expand(x)))), without the sum where width or size changes."""

    def __init__(self, inputs: int, row: Row) -> None:
        super().__init__()
        wide = row.expanded
        block: list[nn.Module] = []
        if wide != inputs:
            block.append(conv_norm(inputs, wide, 1, activation=row.activation))
        block.append(conv_norm(wide, wide, row.kernel, row.stride, wide, row.activation))
        if row.squeezed:
            block.append(SqueezeExcitation(wide, divisible(wide / 4), nn.ReLU, nn.Hardsigmoid))
        block.append(conv_norm(wide, row.channels, 1, activation=None))
        self.block = nn.Sequential(*block)
        self.residual = row.stride == 1 and inputs == row.channels

    def forward(self, x: Any) -> Any:
        return x + self.block(x) if self.residual else self.block(x)


class MobileNetV3(nn.Module):
    """A 3x3 stem, a table of blocks, a 1x1 convolution and two linear layers.

    See `mobilenet_v3_small`.
    """

    def __init__(
        self, rows: Sequence[Row], hidden: int, num_classes: int = 1000, in_channels: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        inputs = 16
        features: list[nn.Module] = [conv_norm(in_channels, inputs, 3, 2, activation=nn.Hardswish)]
        for row in rows:
            features.append(InvertedResidual(inputs, row))
            inputs = row.channels
        features.append(conv_norm(inputs, 6 * inputs, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * inputs, hidden), nn.Hardswish(), nn.Dropout(dropout),
            nn.Linear(hidden, num_classes))
        self.apply(initialise)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def mobilenet_v3_small(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2
) -> MobileNetV3:
    """MobileNetV3-Small: inverted residuals with squeeze and excitation, hard swish.

    num_classes: outputs. in_channels: the input's; images of any size, of which 1/32 is left before
    they are averaged. dropout: before the last layer. Source: Howard et al., "Searching for
    MobileNetV3", 2019, table 2.

    >>> sum(parameter.size for parameter in mobilenet_v3_small().parameters())
    2542856
    """
    return MobileNetV3(SMALL, 1024, num_classes, in_channels, dropout)


def mobilenet_v3_large(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2
) -> MobileNetV3:
    """MobileNetV3-Large, table 1 of the paper; arguments as `mobilenet_v3_small`.

    >>> sum(parameter.size for parameter in mobilenet_v3_large().parameters())
    5483032
    """
    return MobileNetV3(LARGE, 1280, num_classes, in_channels, dropout)
