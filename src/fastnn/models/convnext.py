"""ConvNeXt (Liu et al., 2022), named as in torchvision."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import nn
from fastnn.models.sizes import check_images
from fastnn.ops.expand import expand


class Permute(nn.Module):
    """The axes in another order, as torchvision.ops.Permute."""

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        return x.permute(*self.dims)


class LayerNorm2d(nn.LayerNorm):
    """Layer norm of each pixel of images (n, c, h, w), over its channels."""

    def forward(self, x: Any) -> Any:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """x + layer_scale * project(gelu(expand(norm(depthwise(x))))).

    The depthwise convolution is 7x7; expand makes four times as many channels. drop: the
    probability that an example skips the branch in training.
    """

    def __init__(self, channels: int, layer_scale: float, drop: float) -> None:
        super().__init__()
        self.layer_scale = nn.Parameter(np.full((channels, 1, 1), layer_scale, np.float32))
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Permute([0, 2, 3, 1]), nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels),
            Permute([0, 3, 1, 2]))
        self.stochastic_depth = nn.StochasticDepth(drop, "row")

    def forward(self, x: Any) -> Any:
        # One factor for each example and channel, so that the branch is multiplied once.
        scales = expand(self.layer_scale, x.shape[0], *self.layer_scale.shape)
        return x + self.stochastic_depth(scales) * self.block(x)


class ConvNeXt(nn.Module):
    """A 4x4 stem, stages of blocks with 2x2 convolutions between them, a norm, a linear layer.

    See `convnext_tiny`.
    """

    least = 32  # pixels a side: a 4x4 convolution of stride 4, then three of 2x2 and stride 2

    def __init__(
        self, widths: tuple[int, ...], blocks: tuple[int, ...], num_classes: int = 1000,
        in_channels: int = 3, stochastic_depth_prob: float = 0.0, layer_scale: float = 1e-6,
    ) -> None:
        super().__init__()
        features: list[nn.Module] = [nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 4, 4), LayerNorm2d(widths[0], eps=1e-6))]
        last, number, inputs = max(sum(blocks) - 1, 1), 0, widths[0]
        for width, count in zip(widths, blocks, strict=True):
            if number:
                features.append(nn.Sequential(
                    LayerNorm2d(inputs, eps=1e-6), nn.Conv2d(inputs, width, 2, 2)))
            drops = [stochastic_depth_prob * i / last for i in range(number, number + count)]
            features.append(nn.Sequential(*(CNBlock(width, layer_scale, drop) for drop in drops)))
            number, inputs = number + count, width
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            LayerNorm2d(inputs, eps=1e-6), nn.Flatten(), nn.Linear(inputs, num_classes))
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
        check_images("ConvNeXt", x, self.least)
        return self.classifier(self.avgpool(self.features(x)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, std=0.02)  # the paper's ends at 2, 100 times as far
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def convnext_tiny(
    num_classes: int = 1000, in_channels: int = 3, stochastic_depth_prob: float = 0.1,
    layer_scale: float = 1e-6,
) -> ConvNeXt:
    """ConvNeXt-T: depthwise 7x7 convolutions, layer norm and GELU.

    num_classes: outputs. in_channels: the input's; images of 32x32 or larger.
    stochastic_depth_prob: with what probability an example skips the last residual branch in
    training; 0 for the first, in equal steps between. layer_scale: what the factors of each
    branch's channels start as. Raises ShapeError for images under 32x32. Source: Liu, Mao, Wu,
    Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", 2022.

    >>> sum(parameter.size for parameter in convnext_tiny().parameters())
    28589128
    """
    return ConvNeXt((96, 192, 384, 768), (3, 3, 9, 3), num_classes, in_channels,
                    stochastic_depth_prob, layer_scale)
