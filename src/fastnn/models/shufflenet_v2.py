"""ShuffleNetV2 (Ma et al., 2018), named as in torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import nn
from fastnn.models.blocks import conv_norm
from fastnn.ops.concat import cat
from fastnn.ops.pixel_shuffle import channel_shuffle
from fastnn.ops.split import chunk


class InvertedResidual(nn.Module):
    """Two branches, whose channels are then shuffled.

    At stride 1 the first branch is half of the channels as they are, and the second one computes
    with the other half. At stride 2 both branches compute with all channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                *conv_norm(inputs, inputs, 3, stride, inputs, None), *conv_norm(inputs, half, 1))
        self.branch2 = nn.Sequential(
            *conv_norm(inputs if stride > 1 else half, half, 1),
            *conv_norm(half, half, 3, stride, half, None), *conv_norm(half, half, 1))

    def forward(self, x: Any) -> Any:
        first, second = (x, x) if self.stride > 1 else chunk(x, 2, 1)
        return channel_shuffle(cat([self.branch1(first), self.branch2(second)], 1), 2)


class ShuffleNetV2(nn.Module):
    """A 3x3 stem with pooling, three stages, a 1x1 convolution and a linear layer.

    See `shufflenet_v2_x1_0`.
    """

    def __init__(
        self, blocks: Sequence[int], widths: Sequence[int], num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        stem, *stages, last = widths
        self.conv1 = conv_norm(in_channels, stem, 3, 2)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(InvertedResidual(inputs, outputs, 2),
                          *(InvertedResidual(outputs, outputs, 1) for _ in range(count - 1)))
            for inputs, outputs, count in zip(widths, stages, blocks, strict=False))
        self.conv5 = conv_norm(stages[-1], last, 1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Any) -> Any:
        x = self.stage2(self.maxpool(self.conv1(x)))
        x = self.conv5(self.stage4(self.stage3(x)))
        return self.fc(self.avgpool(x).flatten(1))


def shufflenet_v2_x1_0(num_classes: int = 1000, in_channels: int = 3) -> ShuffleNetV2:
    """ShuffleNetV2 of width 1: half of the channels go on as they are, then all are shuffled.

    num_classes: outputs. in_channels: the input's; images of any size, of which 1/32 is left before
    they are averaged. Source: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for
    efficient CNN architecture design", 2018, table 5.

    >>> sum(parameter.size for parameter in shufflenet_v2_x1_0().parameters())
    2278604
    """
    return ShuffleNetV2((4, 8, 4), (24, 116, 232, 464, 1024), num_classes, in_channels)


shufflenet_v2 = shufflenet_v2_x1_0
