"""Densely connected nets (Huang et al., 2016), named as in torchvision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.models.sizes import check_images
from fastnn.ops.concat import cat

relu = pointwise.FUNCTIONS["relu"]


class DenseLayer(nn.Module):
    """Channels that are added to x: conv2(relu(norm2(conv1(relu(norm1(x))))))."""

    def __init__(self, inputs: int, growth: int, squeezed: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, squeezed, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(squeezed)
        self.conv2 = nn.Conv2d(squeezed, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Any) -> Any:
        x = self.conv1(relu(self.norm1(x)))
        return self.dropout(self.conv2(relu(self.norm2(x))))


class DenseBlock(nn.Module):
    """Layers each of which reads what the block was given and what all layers before it added."""

    def __init__(
        self, count: int, inputs: int, growth: int, squeezed: int, drop_rate: float
    ) -> None:
        super().__init__()
        for number in range(count):
            layer = DenseLayer(inputs + number * growth, growth, squeezed, drop_rate)
            self.add_module(f"denselayer{number + 1}", layer)

    def forward(self, x: Any) -> Any:
        for layer in self.children():
            x = cat([x, layer(x)], 1)
        return x


def transition(inputs: int) -> nn.Sequential:
    """Between blocks: half the channels, and half the size."""
    return nn.Sequential(OrderedDict(
        norm=nn.BatchNorm2d(inputs), relu=nn.ReLU(),
        conv=nn.Conv2d(inputs, inputs // 2, 1, bias=False), pool=nn.AvgPool2d(2)))


class DenseNet(nn.Module):
    """A stem, four dense blocks with transitions between, global average pooling; see
    `densenet121`.
    """

    least: ClassVar[int] = 29  # pixels a side

    def __init__(
        self, growth_rate: int = 32, block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64, bn_size: int = 4, drop_rate: float = 0.0,
        num_classes: int = 1000, in_channels: int = 3,
    ) -> None:
        super().__init__()
        channels = num_init_features
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(channels), relu0=nn.ReLU(), pool0=nn.MaxPool2d(3, 2, 1))
        for number, count in enumerate(block_config, 1):
            if number > 1:
                layers[f"transition{number - 1}"] = transition(channels)
                channels //= 2
            layers[f"denseblock{number}"] = DenseBlock(
                count, channels, growth_rate, bn_size * growth_rate, drop_rate)
            channels += count * growth_rate
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
        check_images("DenseNet", x, self.least)
        return self.classifier(self.avgpool(relu(self.features(x))).flatten(1))


def _initialise(module: nn.Module) -> None:
    """Gaussian weights that keep the variance of values (He et al., 2015), for convolutions."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    elif isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def densenet121(
    num_classes: int = 1000, in_channels: int = 3, drop_rate: float = 0.0
) -> DenseNet:
    """DenseNet-121: each layer reads all before it in its block, and adds 32 channels.

    num_classes: outputs. in_channels: the input's; images of 29x29 or larger. drop_rate: dropout
    after each layer's last convolution, 0.2 in the paper for small images without augmentation.
    Values that wait for a gradient grow with the square of a block's depth: a memory budget has
    them computed twice, which torchvision calls memory_efficient.

    Raises ShapeError for smaller images. Source: Huang, Liu, van der Maaten and Weinberger,
    "Densely connected convolutional networks", 2016.

    >>> sum(parameter.size for parameter in densenet121().parameters())
    7978856
    """
    return DenseNet(32, (6, 12, 24, 16), 64, 4, drop_rate, num_classes, in_channels)


def densenet161(
    num_classes: int = 1000, in_channels: int = 3, drop_rate: float = 0.0
) -> DenseNet:
    """DenseNet-161, whose layers add 48 channels; arguments as `densenet121`."""
    return DenseNet(48, (6, 12, 36, 24), 96, 4, drop_rate, num_classes, in_channels)


def densenet169(
    num_classes: int = 1000, in_channels: int = 3, drop_rate: float = 0.0
) -> DenseNet:
    """DenseNet-169; arguments as `densenet121`."""
    return DenseNet(32, (6, 12, 32, 32), 64, 4, drop_rate, num_classes, in_channels)


def densenet201(
    num_classes: int = 1000, in_channels: int = 3, drop_rate: float = 0.0
) -> DenseNet:
    """DenseNet-201; arguments as `densenet121`."""
    return DenseNet(32, (6, 12, 48, 32), 64, 4, drop_rate, num_classes, in_channels)
