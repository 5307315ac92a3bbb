"""The nets whose training steps are measured: fp32, cross-entropy, SGD with momentum."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fastnn import models
from fastnn.nn.module import Module

CLASSES, LEARNING_RATE, MOMENTUM = 10, 0.01, 0.9


@dataclass(frozen=True)
class Net:
    """A net and its batch; an example is (channels, height, width) or (features,).

    target: the shape of an example's classes, () for one class.
    """

    name: str
    batch: int
    example: tuple[int, ...]
    classes: int = CLASSES
    target: tuple[int, ...] = ()

    def request(self, batch: int | None = None) -> dict[str, Any]:
        """What a worker is told."""
        return asdict(self) | {"batch": batch or self.batch}


NETS = {net.name: net for net in (
    Net("lenet", 64, (1, 28, 28)),
    Net("mlp", 128, (1, 28, 28)),
    Net("mlp-small", 32, (10,)),
    Net("resnet20", 128, (3, 32, 32)),
    Net("vgg11", 128, (3, 32, 32)),
    Net("resnet18", 128, (3, 32, 32)),
)}
MORE = {net.name: net for net in (  # measured where they are named
    Net("alexnet", 32, (3, 64, 64)),
    Net("vgg16_bn", 32, (3, 64, 64)),
    Net("squeezenet1_1", 32, (3, 64, 64)),
    Net("densenet121", 32, (3, 64, 64)),
    Net("googlenet", 32, (3, 64, 64)),
    Net("unet", 32, (3, 64, 64), target=(64, 64)),
    Net("resnet50", 32, (3, 64, 64)),
    Net("mobilenet_v2", 32, (3, 64, 64)),
    Net("mobilenet_v3_small", 32, (3, 64, 64)),
    Net("mobilenet_v3_large", 32, (3, 64, 64)),
    Net("efficientnet_b0", 32, (3, 64, 64)),
    Net("convnext_tiny", 32, (3, 64, 64)),
    Net("shufflenet_v2_x1_0", 32, (3, 64, 64)),
)}
KNOWN = NETS | MORE


def make(name: str) -> Module:
    """The net of fastnn.

    >>> sum(parameter.size for parameter in make("mlp-small").parameters())
    976
    """
    if name == "mlp-small":  # 10-46-10: at 45 and 46 units PyTorch goes from one thread to two
        return models.mlp(CLASSES, NETS[name].example[0], 1, hidden=(46,))
    example = KNOWN[name].example
    if name == "unet":
        return models.unet(CLASSES, example[0])
    if name == "resnet50":  # with torchvision's stem, which ours has for larger images
        return models.resnet50(CLASSES, example[0], "imagenet")
    return models.create(name, CLASSES, example[0], example[1:])
