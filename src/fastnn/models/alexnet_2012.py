"""AlexNet as in 2012 (Krizhevsky, Sutskever and Hinton): with local response normalisation."""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn import nn
from fastnn.arguments import choice, flag
from fastnn.models.sizes import check_images

KINDS = ("imagenet", "cifar")
BIASED = (1, 3, 4, 5, 6)  # layers whose biases begin at 1, so that their ReLUs are on


class AlexNet2012(nn.Module):
    """Five convolutions, two of them normalised, and three linear layers; see `alexnet_2012`."""

    least: ClassVar[dict[str, int]] = {"imagenet": 63, "cifar": 15}  # pixels a side

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, kind: str = "imagenet",
        dropout: float = 0.5, lrn: bool = True,
    ) -> None:
        super().__init__()
        self.kind = choice(kind, "kind", KINDS)
        flag(lrn, "lrn")
        is_large = kind == "imagenet"
        widths = (96, 256, 384, 384, 256) if is_large else (32, 64, 96, 96, 64)
        hidden, side = (4096, 6) if is_large else (256, 2)
        first = (nn.Conv2d(in_channels, widths[0], 11, stride=4, padding=2) if is_large else
                 nn.Conv2d(in_channels, widths[0], 5, padding=2))
        groups = 2 if is_large else 1  # the two columns, each on a GPU of its own
        self.features = nn.Sequential(
            first, nn.ReLU(), *_norm(lrn), nn.MaxPool2d(3, 2),
            nn.Conv2d(widths[0], widths[1], 5, padding=2, groups=groups), nn.ReLU(), *_norm(lrn),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(widths[1], widths[2], 3, padding=1), nn.ReLU(),
            nn.Conv2d(widths[2], widths[3], 3, padding=1, groups=groups), nn.ReLU(),
            nn.Conv2d(widths[3], widths[4], 3, padding=1, groups=groups), nn.ReLU(),
            nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(widths[4] * side * side, hidden), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, num_classes))
        self._initialise()

    def _initialise(self) -> None:
        layers = [module for module in self.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
        for number, layer in enumerate(layers):
            if self.kind == "imagenet":
                nn.init.normal_(layer.weight, 0.0, 0.01)
            elif layer is not layers[-1]:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            is_on = self.kind == "imagenet" and number in BIASED
            nn.init.constant_(layer.bias, 1.0 if is_on else 0.0)

    def forward(self, x: Any) -> Any:
        check_images("AlexNet2012", x, self.least[self.kind])
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _norm(lrn: bool) -> list[nn.Module]:
    # alpha is 1e-4 in the paper, whose sum is not divided by the size
    return [nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)] if lrn else []


def alexnet_2012(
    num_classes: int = 1000, in_channels: int = 3, kind: str = "imagenet", dropout: float = 0.5,
    lrn: bool = True,
) -> AlexNet2012:
    """AlexNet as it won in 2012: 60,965,224 parameters.

    Convolutions 2, 4 and 5 are in two columns (groups), the first two have local response
    normalisation after their ReLU, pooling windows overlap, and initial weights are the paper's:
    small, with biases of 1 in layers 2, 4, 5, 6 and 7. Its input has the mean image subtracted, as
    `nn.Preprocess(data.MeanImage().fit(x), net)` does.

    num_classes: outputs. in_channels: the input's. kind: "imagenet", for images of 63x63 or larger
    (the paper has 224x224), or "cifar": for images of 15x15 or larger the same layers in one
    column, narrower, with a 5x5 convolution of stride 1 in front, weights by He's rule and biases
    of 0. dropout: in front of the first two linear layers. lrn: whether there is normalisation.

    Raises ShapeError for smaller images. Source: Krizhevsky, Sutskever and Hinton, "ImageNet
    classification with deep convolutional neural networks", 2012.

    >>> net = alexnet_2012(10, kind="cifar")
    >>> net.features[2]
    LocalResponseNorm(5, alpha=0.0005, beta=0.75, k=2.0)
    """
    return AlexNet2012(num_classes, in_channels, kind, dropout, lrn)
