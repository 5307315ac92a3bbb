"""Nets to start from: `create` makes one by its name, the functions take each net's options.

>>> from fastnn import models
>>> model = models.create("cnn", num_classes=10, in_channels=1, image_size=28)
"""

from fastnn.models.cnn import CNN, cnn
from fastnn.models.lenet import LeNet, lenet
from fastnn.models.mlp import mlp
from fastnn.models.registry import FAMILIES, NAMES, create
from fastnn.models.resnet import ResNet, resnet18, resnet34
from fastnn.models.resnet_cifar import (
    CifarResNet,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from fastnn.models.vgg import VGG, vgg11, vgg13, vgg16

__all__ = [
    "CNN", "FAMILIES", "NAMES", "VGG", "CifarResNet", "LeNet", "ResNet", "cnn", "create", "lenet",
    "mlp", "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet56", "resnet110",
    "vgg11", "vgg13", "vgg16",
]
