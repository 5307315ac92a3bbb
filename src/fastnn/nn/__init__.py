"""Modules and layers, as torch.nn. Written by `python -m tools.names`."""

from fastnn.nn import init
from fastnn.nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
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
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from fastnn.nn.softmax import GLU, LogSoftmax, Maxout, Softmax, Softmax2d, Softmin

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d",
    "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv1d", "Conv2d", "ConvTranspose2d",
    "CrossEntropyLoss", "DropConnect", "Dropout", "Flatten", "GroupNorm", "Hardshrink",
    "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU", "Linear", "LogSigmoid",
    "LogSoftmax", "MSELoss", "MaxPool1d", "MaxPool2d", "Maxout", "Mish", "Module", "ModuleDict",
    "ModuleList", "PReLU", "Parameter", "ParameterDict", "ParameterList", "ReLU", "ReLU6",
    "Sequential", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink",
    "Softsign", "Tanh", "Tanhshrink", "Threshold", "Unflatten", "init",
]
