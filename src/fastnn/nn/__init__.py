"""Modules and layers, as torch.nn. Written by `python -m tools.names`."""

from fastnn.nn import init
from fastnn.nn.activation import ELU, GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Tanh
from fastnn.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from fastnn.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from fastnn.nn.dropout import DropConnect, Dropout
from fastnn.nn.linear import Flatten, Identity, Linear, Unflatten
from fastnn.nn.losses import CrossEntropyLoss, MSELoss
from fastnn.nn.module import Module
from fastnn.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm
from fastnn.nn.parameter import Buffer, Parameter
from fastnn.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    LPPool1d,
    LPPool2d,
    MaxPool1d,
    MaxPool2d,
    MaxUnpool1d,
    MaxUnpool2d,
)

__all__ = [
    "ELU", "GELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv1d",
    "Conv2d", "ConvTranspose2d", "CrossEntropyLoss", "DropConnect", "Dropout", "Flatten",
    "GroupNorm", "Identity", "LPPool1d", "LPPool2d", "LeakyReLU", "Linear", "MSELoss", "MaxPool1d",
    "MaxPool2d", "MaxUnpool1d", "MaxUnpool2d", "Module", "ModuleDict", "ModuleList", "PReLU",
    "Parameter", "ParameterDict", "ParameterList", "ReLU", "Sequential", "SiLU", "Sigmoid", "Tanh",
    "Unflatten", "init",
]
