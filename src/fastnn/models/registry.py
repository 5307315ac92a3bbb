"""Nets by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

from fastnn.models.alexnet import AlexNet, alexnet
from fastnn.models.alexnet_2012 import AlexNet2012, alexnet_2012
from fastnn.models.cnn import cnn
from fastnn.models.convnext import ConvNeXt, convnext_tiny
from fastnn.models.densenet import (
    DenseNet,
    densenet121,
    densenet161,
    densenet169,
    densenet201,
)
from fastnn.models.efficientnet import efficientnet_b0
from fastnn.models.efficientnet_lite import efficientnet_lite0
from fastnn.models.googlenet import GoogLeNet, googlenet
from fastnn.models.lenet import lenet
from fastnn.models.mlp import mlp
from fastnn.models.mobilenet_v2 import mobilenet_v2
from fastnn.models.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from fastnn.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from fastnn.models.resnet_cifar import (
    CifarResNet,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from fastnn.models.shufflenet_v2 import shufflenet_v2, shufflenet_v2_x1_0
from fastnn.models.sizes import check_size
from fastnn.models.squeezenet import VERSIONS, squeezenet1_0, squeezenet1_1
from fastnn.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from fastnn.nn.module import Module

LARGE = 112  # images of this many pixels a side get ImageNet's stem or head

Maker = Callable[[int, int, Any], Module]


def _sized(make: Callable[..., Module]) -> Maker:
    def maker(num_classes: int, in_channels: int, image_size: Any) -> Module:
        return make(num_classes, in_channels, 28 if image_size is None else image_size)

    return maker


def _any_size(make: Callable[..., Module], least: int = 1, **options: Any) -> Maker:
    """For nets of images from a size on; `options` are for `make`."""

    def maker(num_classes: int, in_channels: int, image_size: Any) -> Module:
        if image_size is not None:
            check_size(make.__name__, image_size, least)
        return make(num_classes=num_classes, in_channels=in_channels, **options)

    return maker


def _two_kinds(make: Callable[..., Module], least: int = 1) -> Maker:
    """For nets with a variant for small and one for large images."""

    def maker(num_classes: int, in_channels: int, image_size: Any) -> Module:
        side = check_size(make.__name__, 32 if image_size is None else image_size, least)
        return make(num_classes, in_channels, "imagenet" if side >= LARGE else "cifar")

    return maker


_MAKERS: dict[str, Maker] = {
    "mlp": _sized(mlp),
    "lenet": _sized(lenet),
    "cnn": _any_size(cnn),
    "vgg11": _two_kinds(vgg11, VGG.least),
    "vgg13": _two_kinds(vgg13, VGG.least),
    "vgg16": _two_kinds(vgg16, VGG.least),
    "vgg19": _two_kinds(vgg19, VGG.least),
    "resnet18": _two_kinds(resnet18),
    "resnet34": _two_kinds(resnet34),
    "resnet50": _two_kinds(resnet50),
    "resnet101": _two_kinds(resnet101),
    "resnet152": _two_kinds(resnet152),
    "resnet20": _any_size(resnet20),
    "resnet32": _any_size(resnet32),
    "resnet44": _any_size(resnet44),
    "resnet56": _any_size(resnet56),
    "resnet110": _any_size(resnet110),
    "alexnet": _any_size(alexnet, AlexNet.least),
    "alexnet_2012": _two_kinds(alexnet_2012, AlexNet2012.least["cifar"]),
    "vgg11_bn": _any_size(vgg11_bn, VGG.least),
    "vgg13_bn": _any_size(vgg13_bn, VGG.least),
    "vgg16_bn": _any_size(vgg16_bn, VGG.least),
    "vgg19_bn": _any_size(vgg19_bn, VGG.least),
    "squeezenet1_0": _any_size(squeezenet1_0, VERSIONS["1_0"].least),
    "squeezenet1_1": _any_size(squeezenet1_1, VERSIONS["1_1"].least),
    "densenet121": _any_size(densenet121, DenseNet.least),
    "densenet161": _any_size(densenet161, DenseNet.least),
    "densenet169": _any_size(densenet169, DenseNet.least),
    "densenet201": _any_size(densenet201, DenseNet.least),
    "googlenet": _any_size(googlenet, GoogLeNet.least, aux_logits=False),
    "mobilenet_v2": _any_size(mobilenet_v2),
    "mobilenet_v3_small": _any_size(mobilenet_v3_small),
    "mobilenet_v3_large": _any_size(mobilenet_v3_large),
    "efficientnet_b0": _any_size(efficientnet_b0),
    "efficientnet_lite0": _any_size(efficientnet_lite0),
    "convnext_tiny": _any_size(convnext_tiny, ConvNeXt.least),
    "shufflenet_v2": _any_size(shufflenet_v2),
    "shufflenet_v2_x1_0": _any_size(shufflenet_v2_x1_0),
}
NAMES = tuple(_MAKERS)
FAMILIES: dict[str, Callable[[int], str]] = {"resnet": lambda number: f"resnet{6 * number + 2}"}
"""Names of nets of one kind and any depth, from number 1 on: each one is deeper."""


def create(
    name: str, num_classes: int = 10, in_channels: int = 3, image_size: Any = None
) -> Module:
    """A net by its name, fitted to a kind of images.

    name: one of `NAMES`, or resnet<depth> for CIFAR with a depth of 6 n + 2. num_classes: outputs.
    in_channels: the input's. image_size: height and width, or one number for both; None for what
    the net is usually used with. VGG, ResNet-18, -34, -50, -101 and -152 and alexnet_2012
    have a variant for large images, from 112 pixels a side; googlenet is made without its auxiliary
    classifiers.

    Raises ValueError for an unknown name, or images too small for the net.

    >>> sum(parameter.size for parameter in create("lenet", in_channels=1).parameters())
    61706
    >>> create("resnet19")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: unknown model 'resnet19': did you mean resnet18 or resnet152? Known are mlp, ..., \
and resnet<depth> with a depth of 6 n + 2
    """
    return find_maker(name)(num_classes, in_channels, image_size)


def find_maker(name: str) -> Maker:
    """What makes a net of a name; ValueError for an unknown one."""
    if isinstance(name, str) and name in _MAKERS:
        return _MAKERS[name]
    deep = re.fullmatch(r"resnet(\d{1,6})", str(name))
    depth = int(deep[1]) if deep else 0
    if depth >= 8 and depth % 6 == 2:
        return lambda classes, channels, image_size: CifarResNet(depth, classes, channels)
    close = difflib.get_close_matches(str(name), NAMES, 2)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ValueError(f"unknown model {name!r}: {hint}Known are {', '.join(NAMES)}, and "
                     "resnet<depth> with a depth of 6 n + 2")
