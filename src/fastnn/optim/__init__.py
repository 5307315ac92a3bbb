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
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)
from fastnn.optim.sgd import SGD

__all__ = [
    "ASGD", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "CosineAnnealingLR",
    "ExponentialLR", "FactorLR", "LRScheduler", "LambdaLR", "LinearLR", "Lion", "MultiStepLR",
    "Muon", "NAdam", "OneCycleLR", "Optimizer", "RAdam", "RMSprop", "Rprop", "SequentialLR",
    "StepLR", "layerwise_groups", "lr_scheduler", "swa_utils",
]
