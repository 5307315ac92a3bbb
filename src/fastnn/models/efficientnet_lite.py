"""EfficientNet-Lite0, named as in the files of weights that its TensorFlow original became."""

from __future__ import annotations

from typing import Any

from fastnn import nn
from fastnn.graph import as_tensor
from fastnn.models.blocks import initialise
from fastnn.models.efficientnet import B0
from fastnn.ops.conv2d import conv2d


def norm(channels: int) -> nn.BatchNorm2d:
    """TensorFlow's batch norm. Its momentum, 0.99, is the share that stays."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "SAME": ceil(size / stride) outputs.

    The padding, max((ceil(size / stride) - 1) stride + kernel - size, 0) along each axis, depends
    on the size of the image; if it is odd, the extra row or column is at the bottom or right.
    PyTorch's padding of kernel // 2 on each side gives as many outputs, from other pixels: at
    stride 2 and an even size TensorFlow pads a kernel of 3 at the bottom and right alone.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Any) -> Any:
        x = as_tensor(input)
        sides = []
        for size, kernel, stride in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides.append((total // 2, total - total // 2))
        return conv2d(x, self.weight, None, self.stride, tuple(sides), 1, self.groups)


class LiteBlock(nn.Module):
    """x + project(depthwise(expand(x))), without the sum where width or size changes.

    A block of EfficientNet without squeeze and excitation, with ReLU6 in place of SiLU.
    drop: the probability that an example skips the branch in training.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = SameConv2d(inputs, wide, 1)
            self._bn0 = norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, wide)
        self._bn1 = norm(wide)
        self._project_conv = SameConv2d(wide, outputs, 1)
        self._bn2 = norm(outputs)
        self._relu = nn.ReLU6()
        self._drop = nn.StochasticDepth(drop, "row")
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        y = self._relu(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._relu(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + self._drop(y) if self.residual else y


class EfficientNetLite(nn.Module):
    """A 3x3 stem, sixteen blocks, a 1x1 convolution and a linear layer.

    See `efficientnet_lite0`. `features` is all but pooling and the linear layer. pretrained: where
    its weights are from, and how pictures become its input; set by `models.load`.
    """

    pretrained: Any = None

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2,
        stochastic_depth_prob: float = 0.2,
    ) -> None:
        super().__init__()
        width, last = B0[0].inputs, 4 * B0[-1].outputs
        self._conv_stem = SameConv2d(in_channels, width, 3, 2)
        self._bn0 = norm(width)
        blocks: list[nn.Module] = []
        total = sum(stage.blocks for stage in B0)
        for expansion, kernel, stride, inputs, outputs, count in B0:
            for _ in range(count):
                drop = stochastic_depth_prob * len(blocks) / total  # the deeper, the more often
                blocks.append(LiteBlock(inputs, outputs, kernel, stride, expansion, drop))
                inputs, stride = outputs, 1
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv2d(B0[-1].outputs, last, 1)
        self._bn1 = norm(last)
        self._relu = nn.ReLU6()
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(last, num_classes)
        self.apply(initialise)

    def features(self, x: Any) -> Any:
        """(n, 1280, height / 32, width / 32), rounded up: what the head averages."""
        x = self._relu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._relu(self._bn1(self._conv_head(x)))

    def forward(self, x: Any) -> Any:
        return self._fc(self._dropout(self._avg_pooling(self.features(x)).flatten(1)))


def efficientnet_lite0(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNetLite:
    """EfficientNet-Lite0: EfficientNet-B0 with ReLU6 and without squeeze and excitation.

    Made for phones, where the two are slow and hard to quantise; convolutions are padded as
    TensorFlow does. Its weights of ImageNet are at hand: `models.load("efficientnet-lite0")`.

    num_classes: outputs. in_channels: the input's; images of any size, of which 1/32 is left before
    they are averaged. dropout: before the last layer. stochastic_depth_prob: with what probability
    an example skips a residual branch in training: 0 for the first block, growing towards this
    for one behind the last. Source: Tan and Le, "EfficientNet: rethinking model scaling for
    convolutional neural networks", 2019; Liu, "Higher accuracy on vision models with
    EfficientNet-Lite", 2020.

    >>> sum(parameter.size for parameter in efficientnet_lite0().parameters())
    4652008
    """
    return EfficientNetLite(num_classes, in_channels, dropout, stochastic_depth_prob)
