"""Training: the Trainer, callbacks, metrics, and files of weights and checkpoints."""

from fastnn.training.callbacks import (
    Callback,
    CheckpointCallback,
    EarlyStopping,
    History,
    LambdaCallback,
    WeightsCallback,
)
from fastnn.training.files import CheckpointError
from fastnn.training.metrics import accuracy
from fastnn.training.progress import ProgressBar
from fastnn.training.trainer import Trainer
from fastnn.training.weights import load, save

__all__ = [
    "Callback", "CheckpointCallback", "CheckpointError", "EarlyStopping", "History",
    "LambdaCallback", "ProgressBar", "Trainer", "WeightsCallback", "accuracy", "load", "save",
]
