"""Optimizers, as torch.optim."""

from fastnn.optim.adam import Adam, AdamW
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
