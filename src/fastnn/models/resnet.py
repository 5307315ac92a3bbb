"""Residual nets for ImageNet and larger small images (He et al., 2015), named as in torchvision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.arguments import flag

relu = pointwise.FUNCTIONS["relu"]
STEMS = ("cifar", "imagenet")
Shortcut = Callable[[int, int, int], nn.Module]  # of inputs, outputs and stride


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size at stride 1; BN's shift replaces its bias."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A shortcut that changes the width and the size: a 1x1 convolution and its norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).

    shortcut: makes what x goes through where the width or the size changes.
    """

    expansion = 1  # channels of the output for each of the 3x3 convolution

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, shortcut: Shortcut = projection
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x)).

    conv1 and conv3 are 1x1, and conv2 between them is 3x3, of a quarter of the outputs. It has the
    stride, as in torchvision: the paper, where conv1 has it, skips three quarters of the pixels.
    """

    expansion = 4

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, shortcut: Shortcut = projection
    ) -> None:
        super().__init__()
        width = outputs // self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Any) -> Any:
        y = relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A stem, four stages of blocks, global average pooling and a linear layer; see `resnet18`."""

    def __init__(
        self, blocks: Sequence[int], num_classes: int = 10, in_channels: int = 3,
        stem: str = "cifar", block: Block = BasicBlock, zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise ValueError(f"stem must be one of {STEMS}, got {stem!r}")
        if stem == "cifar":
            self.conv1 = conv3x3(in_channels, 64)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        widths = [width * block.expansion for width in (64, 128, 256, 512)]
        self.layer1 = stage(64, widths[0], blocks[0], 1, block=block)
        self.layer2 = stage(widths[0], widths[1], blocks[1], 2, block=block)
        self.layer3 = stage(widths[1], widths[2], blocks[2], 2, block=block)
        self.layer4 = stage(widths[2], widths[3], blocks[3], 2, block=block)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        self.apply(initialise)
        if flag(zero_init_residual, "zero_init_residual"):
            self.apply(begin_as_identity)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def stage(
    inputs: int, outputs: int, count: int, stride: int, shortcut: Shortcut = projection,
    block: Block = BasicBlock,
) -> nn.Sequential:
    """`count` blocks of one width; the first one changes the width and the size."""
    rest = [block(outputs, outputs) for _ in range(count - 1)]
    return nn.Sequential(block(inputs, outputs, stride, shortcut), *rest)


def initialise(module: nn.Module) -> None:
    """Gaussian weights that keep the variance of gradients (He et al., 2015), for convolutions."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def begin_as_identity(module: nn.Module) -> None:
    """A residual block whose last norm is 0 passes its input on at first (Goyal et al., 2017)."""
    if isinstance(module, (BasicBlock, Bottleneck)):
        last = module.bn2 if isinstance(module, BasicBlock) else module.bn3
        assert last.weight is not None
        nn.init.zeros_(last.weight)


def resnet18(
    num_classes: int = 10, in_channels: int = 3, stem: str = "cifar",
    zero_init_residual: bool = False,
) -> ResNet:
    """ResNet-18.

    num_classes: outputs. in_channels: the input's; images of any size. stem: "cifar" starts with a
    3x3 convolution at full size, for small images; "imagenet" with a 7x7 convolution and pooling,
    together stride 4, as torchvision's `resnet18`. zero_init_residual: begin with blocks that pass
    their input on, the weight of each one's last norm being 0. Source: He, Zhang, Ren and Sun,
    "Deep residual learning for image recognition", 2015.

    >>> sum(parameter.size for parameter in resnet18(1000, stem="imagenet").parameters())
    11689512
    """
    return ResNet((2, 2, 2, 2), num_classes, in_channels, stem,
                  zero_init_residual=zero_init_residual)


def resnet34(
    num_classes: int = 10, in_channels: int = 3, stem: str = "cifar",
    zero_init_residual: bool = False,
) -> ResNet:
    """ResNet-34; arguments as `resnet18`."""
    return ResNet((3, 4, 6, 3), num_classes, in_channels, stem,
                  zero_init_residual=zero_init_residual)


def resnet50(
    num_classes: int = 10, in_channels: int = 3, stem: str = "cifar",
    zero_init_residual: bool = False,
) -> ResNet:
    """ResNet-50, of bottleneck blocks; arguments as `resnet18`.

    >>> sum(parameter.size for parameter in resnet50(1000, stem="imagenet").parameters())
    25557032
    """
    return ResNet((3, 4, 6, 3), num_classes, in_channels, stem, Bottleneck,
                  zero_init_residual)


def resnet101(
    num_classes: int = 10, in_channels: int = 3, stem: str = "cifar",
    zero_init_residual: bool = False,
) -> ResNet:
    """ResNet-101, of bottleneck blocks; arguments as `resnet18`."""
    return ResNet((3, 4, 23, 3), num_classes, in_channels, stem, Bottleneck,
                  zero_init_residual)


def resnet152(
    num_classes: int = 10, in_channels: int = 3, stem: str = "cifar",
    zero_init_residual: bool = False,
) -> ResNet:
    """ResNet-152, of bottleneck blocks; arguments as `resnet18`."""
    return ResNet((3, 8, 36, 3), num_classes, in_channels, stem, Bottleneck,
                  zero_init_residual)
