"""fastnn trains convolutional nets and MLPs on CPUs: fast, in a memory budget, exactly.

>>> import fastnn as fn
>>> import numpy as np
>>> model = fn.nn.Sequential(fn.nn.Linear(4, 3))
>>> step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
>>> loss = step(np.ones((2, 4), np.float32), np.array([0, 2]))
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastnn import nn, optim, plan
from fastnn.context import enable_grad, no_grad, set_grad_enabled
from fastnn.engine import at_once as _at_once  # runs functions that are called with arrays
from fastnn.engine import hooks as _hooks  # and modules
from fastnn.engine import optimizer_step as _optimizer_step  # and optimizer.step
from fastnn.engine.grad import grad
from fastnn.engine.inputs import NonFiniteError
from fastnn.engine.train_step import TrainStep
from fastnn.engine.value_and_grad import value_and_grad
from fastnn.graph import Tensor
from fastnn.nn.checkpoint import checkpoint
from fastnn.nn.variable import Variable
from fastnn.ops.conv_algorithm import get_conv_algorithm, set_conv_algorithm
from fastnn.ops.function import Function
from fastnn.ops.loss_part import loss_part
from fastnn.ops.names import *  # noqa: F403
from fastnn.plan.budget import MemoryBudgetError
from fastnn.runtime.random import get_rng_state, manual_seed, set_rng_state
from fastnn.runtime.threads import get_num_threads, set_num_threads
from fastnn.spec import ShapeError
from fastnn.version import VERSION as __version__

if _TYPE_CHECKING:
    from fastnn import (
        autograd,
        data,
        ensembles,
        init,
        insight,
        metrics,
        models,
        onnx,
        pretraining,
        second_order,
        training,
    )
    from fastnn.engine.gradcheck import GradcheckError, gradcheck
    from fastnn.engine.gradgradcheck import gradgradcheck
    from fastnn.engine.memory_frontier import memory_frontier
    from fastnn.engine.summary import summary
    from fastnn.ensembles.ensemble import Ensemble
    from fastnn.ensembles.monte_carlo import mc_dropout
    from fastnn.insight.explain import explain
    from fastnn.insight.features import features
    from fastnn.insight.inspect import inspect
    from fastnn.second_order.minimize import minimize
    from fastnn.training import CheckpointError, Trainer, load, save
    from fastnn.training.lr_finder import find_lr
    from fastnn.training.transfer import transfer

# What many programs never use is imported when it is first named: importing fastnn takes less time
# and, in a process with a memory budget, less of it.
_LATE = {
    **{name: f"fastnn.{name}" for name in (
        "autograd", "data", "ensembles", "init", "insight", "metrics", "models",
        "onnx", "pretraining", "second_order", "training")},
    **dict.fromkeys(("CheckpointError", "Trainer", "load", "save"), "fastnn.training"),
    **dict.fromkeys(("GradcheckError", "gradcheck"), "fastnn.engine.gradcheck"),
    "Ensemble": "fastnn.ensembles.ensemble",
    "explain": "fastnn.insight.explain",
    "features": "fastnn.insight.features",
    "find_lr": "fastnn.training.lr_finder",
    "gradgradcheck": "fastnn.engine.gradgradcheck",
    "inspect": "fastnn.insight.inspect",
    "mc_dropout": "fastnn.ensembles.monte_carlo",
    "memory_frontier": "fastnn.engine.memory_frontier",
    "minimize": "fastnn.second_order.minimize",
    "summary": "fastnn.engine.summary",
    "transfer": "fastnn.training.transfer",
}


def __getattr__(name: str) -> _Any:
    if name not in _LATE:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    module = _import_module(_LATE[name])
    found = module if _LATE[name] == f"fastnn.{name}" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = sorted({name for name in globals() if not name.startswith("_")} | _LATE.keys())
