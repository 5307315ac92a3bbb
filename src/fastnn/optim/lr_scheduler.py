"""The schedules of `fastnn.optim`, under PyTorch's path torch.optim.lr_scheduler."""

from fastnn.optim.scheduler import FactorLR, LRScheduler
from fastnn.optim.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

__all__ = [
    "CosineAnnealingLR", "ExponentialLR", "FactorLR", "LRScheduler", "LambdaLR", "LinearLR",
    "MultiStepLR", "OneCycleLR", "SequentialLR", "StepLR",
]
