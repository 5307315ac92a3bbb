"""Modules and layers, as torch.nn. Written by `python -m tools.names`."""

from fastnn.nn import functional, init, utils
from fastnn.nn.activation import ELU, GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Tanh
from fastnn.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from fastnn.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from fastnn.nn.dropout import DropConnect, Dropout
from fastnn.nn.later import refusal
from fastnn.nn.linear import Flatten, Identity, Linear, Unflatten
from fastnn.nn.losses import CrossEntropyLoss, MSELoss
from fastnn.nn.module import Module
from fastnn.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm
from fastnn.nn.padding import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)
from fastnn.nn.parameter import Buffer, Parameter
from fastnn.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from fastnn.nn.resize import (
    ChannelShuffle,
    Fold,
    PixelShuffle,
    PixelUnshuffle,
    Unfold,
    Upsample,
    UpsamplingBilinear2d,
    UpsamplingNearest2d,
)

__all__ = [
    "ELU", "GELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d",
    "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv1d", "Conv2d", "ConvTranspose2d",
    "CrossEntropyLoss", "DropConnect", "Dropout", "Flatten", "GroupNorm", "Identity", "LeakyReLU",
    "Linear", "MSELoss", "MaxPool1d", "MaxPool2d", "Module", "ModuleDict", "ModuleList", "PReLU",
    "Parameter", "ParameterDict", "ParameterList", "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh",
    "Unflatten", "functional", "init", "utils",
]

__getattr__ = refusal(__name__)
