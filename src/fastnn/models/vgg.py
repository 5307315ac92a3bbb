"""VGG nets with batch normalisation (Simonyan and Zisserman, 2014), named as in torchvision."""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn import nn
from fastnn.models.sizes import check_images

POOL = 0  # in a configuration: max-pooling between blocks
LAYERS = {
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    13: (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL,
         512, 512, 512, POOL),
    19: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL, 512, 512, 512, 512, POOL,
         512, 512, 512, 512, POOL),
}
HEADS = ("cifar", "imagenet")


class VGG(nn.Module):
    """Blocks of 3x3 convolutions with BN and ReLU, max-pooling between them; see `vgg11`."""

    least: ClassVar[int] = 32  # pixels a side

    def __init__(
        self, layers: tuple[int, ...], num_classes: int = 10, in_channels: int = 3,
        head: str = "cifar", dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}, got {head!r}")
        self.features = _features(layers, in_channels)
        width = [layer for layer in layers if layer != POOL][-1]
        if head == "cifar":
            self.avgpool: nn.Module = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Linear(width, num_classes))
        else:
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                nn.Linear(width * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, num_classes))
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
        check_images("VGG", x, self.least)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _features(layers: tuple[int, ...], in_channels: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    for width in layers:
        if width == POOL:
            modules.append(nn.MaxPool2d(2))
        else:
            modules += [nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width),
                        nn.ReLU()]
            in_channels = width
    return nn.Sequential(*modules)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)


def vgg11(num_classes: int = 10, in_channels: int = 3, head: str = "cifar") -> VGG:
    """VGG-11 with batch normalisation.

    num_classes: outputs. in_channels: the input's; images of 32x32 or larger. head: "cifar" for
    one linear layer after global average pooling, "imagenet" for the three of the paper, as
    `vgg11_bn`. Raises ShapeError for smaller images. Source: Simonyan and Zisserman, "Very deep
    convolutional networks for large-scale image recognition", 2014.

    >>> sum(parameter.size for parameter in vgg11().parameters())
    9231114
    """
    return VGG(LAYERS[11], num_classes, in_channels, head)


def vgg13(num_classes: int = 10, in_channels: int = 3, head: str = "cifar") -> VGG:
    """VGG-13 with batch normalisation; arguments as `vgg11`."""
    return VGG(LAYERS[13], num_classes, in_channels, head)


def vgg16(num_classes: int = 10, in_channels: int = 3, head: str = "cifar") -> VGG:
    """VGG-16 with batch normalisation; arguments as `vgg11`."""
    return VGG(LAYERS[16], num_classes, in_channels, head)


def vgg19(num_classes: int = 10, in_channels: int = 3, head: str = "cifar") -> VGG:
    """VGG-19 with batch normalisation; arguments as `vgg11`."""
    return VGG(LAYERS[19], num_classes, in_channels, head)


def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-11 as torchvision's `vgg11_bn`: with the paper's three linear layers.

    num_classes: outputs. in_channels: the input's; images of 32x32 or larger, of which any is
    brought to 7x7 by pooling. dropout: between the linear layers, which have 124 of the 133
    million parameters; `vgg11` has one for small images instead. Raises ShapeError for smaller
    images.
    """
    return VGG(LAYERS[11], num_classes, in_channels, "imagenet", dropout)


def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-13 as torchvision's `vgg13_bn`; arguments as `vgg11_bn`."""
    return VGG(LAYERS[13], num_classes, in_channels, "imagenet", dropout)


def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-16 as torchvision's `vgg16_bn`; arguments as `vgg11_bn`."""
    return VGG(LAYERS[16], num_classes, in_channels, "imagenet", dropout)


def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-19 as torchvision's `vgg19_bn`; arguments as `vgg11_bn`."""
    return VGG(LAYERS[19], num_classes, in_channels, "imagenet", dropout)
