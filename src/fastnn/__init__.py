"""fastnn trains convolutional nets and MLPs on CPUs: fast, in a memory budget, exactly.

>>> import fastnn as fn
>>> import numpy as np
>>> model = fn.nn.Sequential(fn.nn.Linear(4, 3))
>>> step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
>>> loss = step(np.ones((2, 4), np.float32), np.array([0, 2]))
"""

from fastnn import data, models, nn, optim, plan, training
from fastnn.engine import inference as _inference  # runs modules that are called with arrays
from fastnn.engine.inputs import NonFiniteError
from fastnn.engine.memory_frontier import memory_frontier
from fastnn.engine.train_step import TrainStep
from fastnn.engine.value_and_grad import value_and_grad
from fastnn.graph import Tensor
from fastnn.nn.checkpoint import checkpoint
from fastnn.nn.variable import Variable
from fastnn.ops import FUNCTIONS as _FUNCTIONS
from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.avg_pool2d import avg_pool2d
from fastnn.ops.batch_norm import batch_norm
from fastnn.ops.binary import add, div, maximum, minimum, mul, pow, sub
from fastnn.ops.compare import (
    eq,
    ge,
    gt,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from fastnn.ops.concat import cat
from fastnn.ops.conv1d import conv1d
from fastnn.ops.conv2d import conv2d
from fastnn.ops.conv_algorithm import get_conv_algorithm, set_conv_algorithm
from fastnn.ops.conv_transpose2d import conv_transpose2d
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.detach import detach
from fastnn.ops.dropout import dropout
from fastnn.ops.expand import expand
from fastnn.ops.function import Function
from fastnn.ops.group_norm import group_norm
from fastnn.ops.linear import linear, matmul
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.mse_loss import mse_loss
from fastnn.ops.permute import permute, transpose
from fastnn.ops.pool1d import adaptive_avg_pool1d, avg_pool1d, max_pool1d
from fastnn.ops.prelu import prelu
from fastnn.ops.reduce import mean, sum
from fastnn.ops.reshape import flatten, reshape
from fastnn.ops.softmax import log_softmax, softmax
from fastnn.plan.budget import MemoryBudgetError
from fastnn.runtime.random import get_rng_state, manual_seed, set_rng_state
from fastnn.runtime.threads import get_num_threads, set_num_threads
from fastnn.spec import ShapeError
from fastnn.training import CheckpointError, Trainer, load, save
from fastnn.version import VERSION as __version__

globals().update(_FUNCTIONS)  # relu, sigmoid, ...: the rows of the pointwise table

__all__ = [name for name in globals() if not name.startswith("_")]
