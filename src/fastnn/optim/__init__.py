"""Optimizers and learning-rate schedules, as torch.optim."""

from fastnn.optim import lr_scheduler, swa_utils
from fastnn.optim.adadelta import Adadelta
from fastnn.optim.adagrad import Adagrad
from fastnn.optim.adam import Adam, AdamW
from fastnn.optim.adamax import Adamax
from fastnn.optim.asgd import ASGD
from fastnn.optim.layerwise import layerwise_groups
from fastnn.optim.lion import Lion
from fastnn.optim.muon import Muon
from fastnn.optim.nadam import NAdam
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.radam import RAdam
from fastnn.optim.rmsprop import RMSprop
from fastnn.optim.rprop import Rprop
from fastnn.optim.scheduler import FactorLR, LRScheduler
from fastnn.optim.schedules import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    InverseTimeLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from fastnn.optim.sgd import SGD

__all__ = [
    "ASGD", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ChainedScheduler",
    "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "FactorLR", "InverseTimeLR", "LRScheduler", "LambdaLR", "LinearLR", "Lion", "MultiStepLR",
    "MultiplicativeLR", "Muon", "NAdam", "OneCycleLR", "Optimizer", "PolynomialLR", "RAdam",
    "RMSprop", "ReduceLROnPlateau", "Rprop", "SequentialLR", "StepLR", "layerwise_groups",
    "lr_scheduler", "swa_utils",
]
