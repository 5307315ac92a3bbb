"""VGG nets with batch normalisation (Simonyan and Zisserman, 2014), named as in torchvision."""

from __future__ import annotations

from typing import Any

from fastnn import nn

POOL = 0  # in a configuration: max-pooling between blocks
LAYERS = {
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    13: (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL,
         512, 512, 512, POOL),
}
HEADS = ("cifar", "imagenet")


class VGG(nn.Module):
    """Blocks of 3x3 convolutions with BN and ReLU, max-pooling between them; see `vgg11`."""

    def __init__(
        self, layers: tuple[int, ...], num_classes: int = 10, in_channels: int = 3,
        head: str = "cifar", dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"head must be one of {HEADS}, got {head!r}")
        self.features = _features(layers, in_channels)
        if head == "cifar":
            self.avgpool: nn.Module = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Linear(512, num_classes))
        else:
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, num_classes))
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
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

    num_classes: outputs. in_channels: the input's; images of 32x32 or larger. head: "imagenet" for
    the three linear layers of the paper (torchvision's `vgg11_bn`), "cifar" for one linear layer
    after global average pooling. Source: Simonyan and Zisserman, "Very deep convolutional networks
    for large-scale image recognition", 2014.

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
