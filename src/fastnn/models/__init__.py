"""Nets to start from: `create` makes one by its name, the functions take each net's options.

>>> from fastnn import models
>>> model = models.create("cnn", num_classes=10, in_channels=1, image_size=28)
"""

from fastnn.models.alexnet import AlexNet, alexnet
from fastnn.models.cnn import CNN, cnn
from fastnn.models.densenet import (
    DenseNet,
    densenet121,
    densenet161,
    densenet169,
    densenet201,
)
from fastnn.models.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
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
from fastnn.models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from fastnn.models.unet import UNet, unet
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

__all__ = [
    "CNN", "FAMILIES", "NAMES", "VGG", "AlexNet", "CifarResNet", "DenseNet", "GoogLeNet",
    "GoogLeNetOutputs", "LeNet", "ResNet", "SqueezeNet", "UNet", "alexnet", "cnn", "create",
    "densenet121", "densenet161", "densenet169", "densenet201", "googlenet", "lenet", "mlp",
    "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet56", "resnet110",
    "squeezenet1_0", "squeezenet1_1", "unet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
    "vgg16_bn", "vgg19", "vgg19_bn",
]
