"""SqueezeNet (Iandola et al., 2016), named as in torchvision."""

from __future__ import annotations

from typing import Any, NamedTuple

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.models.sizes import check_images
from fastnn.ops.concat import cat

relu = pointwise.FUNCTIONS["relu"]

POOL = 0  # in a configuration: max-pooling between fire modules


class Version(NamedTuple):
    """channels and kernel_size are the first convolution's; squeezed has those of the layers that
    narrow, one for each fire module; least is the smallest image's side.
    """

    channels: int
    kernel_size: int
    squeezed: tuple[int, ...]
    least: int


VERSIONS = {
    "1_0": Version(96, 7, (POOL, 16, 16, 32, POOL, 32, 48, 48, 64, POOL, 64), 21),
    "1_1": Version(64, 3, (POOL, 16, 16, POOL, 32, 32, POOL, 48, 48, 64, 64), 17),
}


class Fire(nn.Module):
    """A few 1x1 filters, whose outputs go to as many 1x1 as 3x3 filters; ReLU after each."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = relu(self.squeeze(x))
        return cat([relu(self.expand1x1(x)), relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """A convolution, eight fire modules with pooling, a convolution to classes, their averages."""

    def __init__(
        self, version: str = "1_0", num_classes: int = 1000, in_channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if version not in VERSIONS:
            raise ValueError(f"version must be one of {tuple(VERSIONS)}, got {version!r}")
        channels, kernel_size, layers, self.least = VERSIONS[version]
        features: list[nn.Module] = [
            nn.Conv2d(in_channels, channels, kernel_size, stride=2), nn.ReLU()]
        for squeezed in layers:
            if squeezed == POOL:
                features.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                features.append(Fire(channels, squeezed, 4 * squeezed))
                channels = 8 * squeezed
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Conv2d(channels, num_classes, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1))
        self.apply(_initialise)
        nn.init.normal_(self.classifier[1].weight, 0.0, 0.01)

    def forward(self, x: Any) -> Any:
        check_images("SqueezeNet", x, self.least)
        return self.classifier(self.features(x)).flatten(1)


def _initialise(module: nn.Module) -> None:
    """Uniform weights that keep the variance of values (He et al., 2015), for convolutions."""
    if isinstance(module, nn.Conv2d) and module.bias is not None:
        nn.init.kaiming_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def squeezenet1_0(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5
) -> SqueezeNet:
    """SqueezeNet 1.0: as accurate as AlexNet with 1/50 of its parameters, 1,248,424.

    num_classes: outputs. in_channels: the input's; images of 21x21 or larger. dropout: in front of
    the last convolution.

    Raises ShapeError for smaller images. Source: Iandola, Han, Moskewicz, Ashraf, Dally and
    Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    2016.

    >>> sum(parameter.size for parameter in squeezenet1_0().parameters())
    1248424
    """
    return SqueezeNet("1_0", num_classes, in_channels, dropout)


def squeezenet1_1(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5
) -> SqueezeNet:
    """SqueezeNet 1.1 of the paper's authors: pools earlier, and costs less than half of 1.0.

    Arguments as `squeezenet1_0`; images of 17x17 or larger.

    >>> sum(parameter.size for parameter in squeezenet1_1().parameters())
    1235496
    """
    return SqueezeNet("1_1", num_classes, in_channels, dropout)
