"""AlexNet (Krizhevsky, 2014), named as in torchvision."""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn import nn
from fastnn.models.sizes import check_images


class AlexNet(nn.Module):
    """Five convolutions with pooling, then three linear layers; see `alexnet`."""

    least: ClassVar[int] = 63  # pixels a side

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        check_images("AlexNet", x, self.least)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def alexnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNet:
    """AlexNet in its later form, of one column and without normalisation: 61,100,840 parameters.

    num_classes: outputs. in_channels: the input's; images of 63x63 or larger, of which any larger
    one is pooled to what 224x224 gives. dropout: in front of the first two linear layers.

    Raises ShapeError for smaller images. Source: Krizhevsky, "One weird trick for parallelizing
    convolutional neural networks", 2014.
    """
    return AlexNet(num_classes, in_channels, dropout)
