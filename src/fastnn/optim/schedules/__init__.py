"""Learning-rate schedules, as torch.optim.lr_scheduler; `optim/scheduler.py` has their base."""

from fastnn.optim.schedules.combined import ChainedScheduler, SequentialLR
from fastnn.optim.schedules.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from fastnn.optim.schedules.cyclic import CyclicLR
from fastnn.optim.schedules.decay import (
    ConstantLR,
    ExponentialLR,
    InverseTimeLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from fastnn.optim.schedules.functions import LambdaLR, MultiplicativeLR
from fastnn.optim.schedules.one_cycle import OneCycleLR
from fastnn.optim.schedules.plateau import ReduceLROnPlateau
from fastnn.optim.schedules.swa import SWALR

__all__ = [
    "SWALR", "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "CyclicLR", "ExponentialLR", "InverseTimeLR", "LambdaLR", "LinearLR", "MultiStepLR",
    "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]
