"""EfficientNet (Tan and Le, 2019), named as in torchvision."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fastnn import nn
from fastnn.models.blocks import SqueezeExcitation, conv_norm, initialise


class Stage(NamedTuple):
    """Blocks of one width, as table 1 of the paper lists them."""

    expansion: int
    kernel: int
    stride: int  # of the first block
    inputs: int
    outputs: int
    blocks: int


B0 = (Stage(1, 3, 1, 32, 16, 1), Stage(6, 3, 2, 16, 24, 2), Stage(6, 5, 2, 24, 40, 2),
      Stage(6, 3, 2, 40, 80, 3), Stage(6, 5, 1, 80, 112, 3), Stage(6, 5, 2, 112, 192, 4),
      Stage(6, 3, 1, 192, 320, 1))


class MBConv(nn.Module):
    """x + project(squeeze(depthwise(expand(x)))), without the sum where width or size changes.

    drop: the probability that an example skips the branch in training.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [conv_norm(inputs, wide, 1, activation=nn.SiLU)] if expansion != 1 else []
        self.block = nn.Sequential(
            *expand, conv_norm(wide, wide, kernel, stride, wide, nn.SiLU),
            SqueezeExcitation(wide, max(1, inputs // 4), nn.SiLU),
            conv_norm(wide, outputs, 1, activation=None))
        self.stochastic_depth = nn.StochasticDepth(drop, "row")
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        y = self.block(x)
        return x + self.stochastic_depth(y) if self.residual else y


class EfficientNet(nn.Module):
    """A 3x3 stem, seven stages of blocks, a 1x1 convolution and a linear layer.

    See `efficientnet_b0`.
    """

    def __init__(
        self, stages: tuple[Stage, ...], num_classes: int = 1000, in_channels: int = 3,
        dropout: float = 0.2, stochastic_depth_prob: float = 0.2,
    ) -> None:
        super().__init__()
        features: list[nn.Module] = [
            conv_norm(in_channels, stages[0].inputs, 3, 2, activation=nn.SiLU)]
        total, done = sum(stage.blocks for stage in stages), 0
        for expansion, kernel, stride, inputs, outputs, count in stages:
            blocks: list[nn.Module] = []
            for _ in range(count):
                drop = stochastic_depth_prob * done / total  # the deeper, the more often
                blocks.append(MBConv(inputs, outputs, kernel, stride, expansion, drop))
                inputs, stride, done = outputs, 1, done + 1
            features.append(nn.Sequential(*blocks))
        last = 4 * stages[-1].outputs
        features.append(conv_norm(stages[-1].outputs, last, 1, activation=nn.SiLU))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        head = nn.Linear(last, num_classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout), head)
        self.apply(initialise)
        bound = 1 / math.sqrt(num_classes)
        nn.init.uniform_(head.weight, -bound, bound)

    def forward(self, x: Any) -> Any:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def efficientnet_b0(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B0: inverted residuals with squeeze and excitation and SiLU.

    num_classes: outputs. in_channels: the input's; images of any size, of which 1/32 is left before
    they are averaged. dropout: before the last layer. stochastic_depth_prob: with what probability
    an example skips a residual branch in training: 0 for the first block, growing towards this
    for one behind the last. Source: Tan and Le, "EfficientNet: rethinking model scaling for
    convolutional neural networks", 2019.

    >>> sum(parameter.size for parameter in efficientnet_b0().parameters())
    5288548
    """
    return EfficientNet(B0, num_classes, in_channels, dropout, stochastic_depth_prob)
