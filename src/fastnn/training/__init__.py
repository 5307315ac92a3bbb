"""Training: the Trainer, callbacks, metrics, and files of weights and checkpoints."""

from fastnn.files.errors import CheckpointError
from fastnn.training.callbacks import (
    Callback,
    CheckpointCallback,
    History,
    LambdaCallback,
    WeightsCallback,
)
from fastnn.training.early_stopping import EarlyStopping
from fastnn.training.loggers import CSVLogger, LearningRateMonitor
from fastnn.training.metrics import accuracy
from fastnn.training.model_checkpoint import ModelCheckpoint
from fastnn.training.moving_average import EMA
from fastnn.training.progress import ProgressBar
from fastnn.training.tensorboard import TensorBoard
from fastnn.training.trainer import Trainer
from fastnn.training.weights import load, save

__all__ = [
    "EMA", "CSVLogger", "Callback", "CheckpointCallback", "CheckpointError", "EarlyStopping",
    "History", "LambdaCallback", "LearningRateMonitor", "ModelCheckpoint", "ProgressBar",
    "TensorBoard", "Trainer", "WeightsCallback", "accuracy", "load", "save",
]
