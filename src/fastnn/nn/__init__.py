"""Modules and layers, as torch.nn. Written by `python -m tools.names`."""

from fastnn.nn import init
from fastnn.nn.activation import ELU, GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Tanh
from fastnn.nn.classification_losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    CTCLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    SoftMarginLoss,
)
from fastnn.nn.containers import ModuleList, Sequential
from fastnn.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from fastnn.nn.dropout import (
    AlphaDropout,
    DropConnect,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    FeatureAlphaDropout,
    RReLU,
)
from fastnn.nn.linear import Flatten, Identity, Linear
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
from fastnn.nn.ranking_losses import (
    CosineEmbeddingLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from fastnn.nn.regression_losses import (
    GaussianNLLLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    PoissonNLLLoss,
    SmoothL1Loss,
)

__all__ = [
    "ELU", "GELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AlphaDropout", "AvgPool1d",
    "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Buffer", "CTCLoss",
    "Conv1d", "Conv2d", "ConvTranspose2d", "CosineEmbeddingLoss", "CrossEntropyLoss", "DropConnect",
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "Flatten",
    "GaussianNLLLoss", "GroupNorm", "HingeEmbeddingLoss", "HuberLoss", "Identity", "KLDivLoss",
    "L1Loss", "LeakyReLU", "Linear", "MSELoss", "MarginRankingLoss", "MaxPool1d", "MaxPool2d",
    "Module", "ModuleList", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss",
    "NLLLoss", "PReLU", "Parameter", "PoissonNLLLoss", "RReLU", "ReLU", "Sequential", "SiLU",
    "Sigmoid", "SmoothL1Loss", "SoftMarginLoss", "Tanh", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss", "init",
]
