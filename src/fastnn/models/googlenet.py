"""GoogLeNet (Szegedy et al., 2014) with batch normalisation, named as in torchvision."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.graph import constant
from fastnn.models.sizes import check_images
from fastnn.ops.concat import cat

relu = pointwise.FUNCTIONS["relu"]

# Mean and deviation of ImageNet's channels, by which images are standardised.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class GoogLeNetOutputs(NamedTuple):
    """What a GoogLeNet in training returns: the outputs of its three classifiers."""

    logits: Any
    aux_logits2: Any
    aux_logits1: Any


class ConvNorm(nn.Module):
    """relu(bn(conv(x)))"""

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Any) -> Any:
        return relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Filters of 1x1, filters of 3x3 twice, and pooling, side by side; 1x1 filters narrow before.

    The arguments are the paper's table 1. Its 5x5 filters are 3x3 ones here, as in torchvision.
    """

    def __init__(
        self, inputs: int, ones: int, narrow3: int, threes: int, narrow5: int, fives: int,
        pooled: int,
    ) -> None:
        super().__init__()
        self.branch1 = ConvNorm(inputs, ones, 1)
        self.branch2 = nn.Sequential(
            ConvNorm(inputs, narrow3, 1), ConvNorm(narrow3, threes, 3, padding=1))
        self.branch3 = nn.Sequential(
            ConvNorm(inputs, narrow5, 1), ConvNorm(narrow5, fives, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvNorm(inputs, pooled, 1))

    def forward(self, x: Any) -> Any:
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class AuxiliaryHead(nn.Module):
    """A classifier in the middle of the net, which brings gradients there in training."""

    def __init__(self, inputs: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.conv = ConvNorm(inputs, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Any) -> Any:
        x = self.conv(self.avgpool(x)).flatten(1)
        return self.fc2(self.dropout(relu(self.fc1(x))))


class GoogLeNet(nn.Module):
    """A stem, nine Inception modules with pooling, one to three classifiers; see `googlenet`."""

    least: ClassVar[int] = 15  # pixels a side

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, aux_logits: bool = True,
        transform_input: bool = False, dropout: float = 0.2, dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        if transform_input and in_channels != 3:
            raise ValueError("transform_input needs in_channels=3: it knows the mean and deviation "
                             f"of ImageNet's three, got in_channels={in_channels}")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = ConvNorm(in_channels, 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = ConvNorm(64, 64, 1)
        self.conv3 = ConvNorm(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        if aux_logits:
            self.aux1 = AuxiliaryHead(512, num_classes, dropout_aux)
            self.aux2 = AuxiliaryHead(528, num_classes, dropout_aux)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
        check_images("GoogLeNet", x, self.least)
        if self.transform_input:
            x = _standardised_anew(x)
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        middle1 = self.inception4a(x)
        middle2 = self.inception4d(self.inception4c(self.inception4b(middle1)))
        x = self.maxpool4(self.inception4e(middle2))
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.aux_logits:
            return GoogLeNetOutputs(logits, self.aux2(middle2), self.aux1(middle1))
        return logits


def _standardised_anew(x: Any) -> Any:
    """Images that are standardised by ImageNet's mean and deviation, by 0.5 and 0.5 instead."""
    mean, deviation = (np.reshape(values, (1, 3, 1, 1)) for values in (MEAN, DEVIATION))
    return x * constant(deviation / 0.5) + constant((mean - 0.5) / 0.5)


def _initialise(module: nn.Module) -> None:
    """Gaussian weights of deviation 0.01, for convolutions and linear layers."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, std=0.01)


def googlenet(
    num_classes: int = 1000, in_channels: int = 3, aux_logits: bool = True,
    transform_input: bool = False, dropout: float = 0.2, dropout_aux: float = 0.7,
) -> GoogLeNet:
    """GoogLeNet, the first Inception net, with batch normalisation.

    num_classes: outputs. in_channels: the input's; images of 15x15 or larger. aux_logits: add two
    classifiers to the middle of the net. In training it then returns `GoogLeNetOutputs`, in use
    the logits alone; `create` makes it without. transform_input: take images standardised by
    ImageNet's mean and deviation, for weights that were trained with 0.5 and 0.5. dropout,
    dropout_aux: in front of the last linear layer of the net and of the classifiers in the middle.

    Raises ShapeError for smaller images. Source: Szegedy et al., "Going deeper with convolutions",
    2014, which weighs the losses of the two by 0.3:

    >>> import fastnn as fn
    >>> def loss(output, y):
    ...     extra = (fn.cross_entropy(output.aux_logits1, y)
    ...              + fn.cross_entropy(output.aux_logits2, y))
    ...     return fn.cross_entropy(output.logits, y) + 0.3 * extra
    >>> sum(parameter.size for parameter in googlenet().parameters())
    13004888
    """
    return GoogLeNet(num_classes, in_channels, aux_logits, transform_input, dropout, dropout_aux)
