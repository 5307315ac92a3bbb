"""Nets to start from: `create` makes one by its name, the functions take each net's options.

`load` makes one with weights that somebody has trained.

>>> from fastnn import models
>>> model = models.create("cnn", num_classes=10, in_channels=1, image_size=28)
"""

from fastnn.models.alexnet import AlexNet, alexnet
from fastnn.models.alexnet_2012 import AlexNet2012, alexnet_2012
from fastnn.models.cnn import CNN, cnn
from fastnn.models.convnext import ConvNeXt, convnext_tiny
from fastnn.models.densenet import (
    DenseNet,
    densenet121,
    densenet161,
    densenet169,
    densenet201,
)
from fastnn.models.efficientnet import EfficientNet, efficientnet_b0
from fastnn.models.efficientnet_lite import EfficientNetLite, efficientnet_lite0
from fastnn.models.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from fastnn.models.lenet import LeNet, lenet
from fastnn.models.load import load
from fastnn.models.mlp import mlp
from fastnn.models.mobilenet_v2 import MobileNetV2, mobilenet_v2
from fastnn.models.mobilenet_v3 import MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from fastnn.models.pretrained import PRETRAINED, Pretrained
from fastnn.models.registry import FAMILIES, NAMES, create
from fastnn.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from fastnn.models.resnet_cifar import (
    CifarResNet,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from fastnn.models.shufflenet_v2 import ShuffleNetV2, shufflenet_v2, shufflenet_v2_x1_0
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
    "CNN", "FAMILIES", "NAMES", "PRETRAINED", "VGG", "AlexNet", "AlexNet2012", "CifarResNet",
    "ConvNeXt", "DenseNet", "EfficientNet", "EfficientNetLite", "GoogLeNet", "GoogLeNetOutputs",
    "LeNet", "MobileNetV2", "MobileNetV3", "Pretrained", "ResNet", "ShuffleNetV2", "SqueezeNet",
    "UNet", "alexnet", "alexnet_2012", "cnn", "convnext_tiny", "create", "densenet121",
    "densenet161", "densenet169", "densenet201", "efficientnet_b0", "efficientnet_lite0",
    "googlenet", "lenet", "load", "mlp", "mobilenet_v2", "mobilenet_v3_large",
    "mobilenet_v3_small", "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50",
    "resnet56", "resnet101", "resnet110", "resnet152", "shufflenet_v2", "shufflenet_v2_x1_0",
    "squeezenet1_0", "squeezenet1_1", "unet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
    "vgg16_bn", "vgg19", "vgg19_bn",
]
