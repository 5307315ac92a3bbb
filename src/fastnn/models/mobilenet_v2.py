"""MobileNetV2 (Sandler et al., 2018), named as in torchvision."""

from __future__ import annotations

from typing import Any

from fastnn import nn
from fastnn.models.blocks import conv_norm, divisible, initialise

# Table 2 of the paper: expansion, channels, blocks, stride of the first one
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
          (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """x + project(depthwise(expand(x))), without the sum where the width or the size changes.

    expand, a 1x1 convolution, makes `expansion` times as many channels; project has no activation.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [conv_norm(inputs, wide, 1, activation=nn.ReLU6)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand, conv_norm(wide, wide, 3, stride, wide, nn.ReLU6),
            nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """A 3x3 stem, seven stages of inverted residuals, a 1x1 convolution, a linear layer.

    See `mobilenet_v2`.
    """

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        inputs, last = divisible(32 * width_mult), divisible(1280 * max(1.0, width_mult))
        features: list[nn.Module] = [conv_norm(in_channels, inputs, 3, 2, activation=nn.ReLU6)]
        for expansion, channels, count, stride in STAGES:
            for block in range(count):
                outputs = divisible(channels * width_mult)
                features.append(
                    InvertedResidual(inputs, outputs, 1 if block else stride, expansion))
                inputs = outputs
        features.append(conv_norm(inputs, last, 1, activation=nn.ReLU6))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        self.apply(initialise)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def mobilenet_v2(
    num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2
) -> MobileNetV2:
    """MobileNetV2: inverted residuals with linear bottlenecks.

    num_classes: outputs. in_channels: the input's; images of any size, of which 1/32 is left before
    they are averaged. width_mult: all widths are times as large. dropout: before the last layer.
    Source: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear
    bottlenecks", 2018.

    >>> sum(parameter.size for parameter in mobilenet_v2().parameters())
    3504872
    """
    return MobileNetV2(num_classes, in_channels, width_mult, dropout)
