"""Minimise a loss over the whole batch: L-BFGS, BFGS, Newton, Newton-CG."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize

from fastnn.arguments import choice, integer, real
from fastnn.engine.loss_graph import check_model_and_loss, trainable
from fastnn.nn.module import Module
from fastnn.plan.budget import Budget
from fastnn.second_order.full_batch import FullBatch
from fastnn.second_order.newton import newton
from fastnn.second_order.objective import Iteration, Objective
from fastnn.training.evaluation import in_use

METHODS = ("L-BFGS", "BFGS", "Newton", "Newton-CG")
SMALL = "the gradient is small"
PRECISION = float(np.finfo(np.float32).eps)  # of a loss: smaller relative gains are rounding


@dataclass(frozen=True)
class Minimum:
    """How a minimisation ended. The model has the best parameters that were found.

    loss: at those, with weight decay. grad_norm: the largest absolute entry of the gradient.
    evaluations: of the loss and its gradient over the whole batch. products: with the Hessian.
    success, message: whether the method says that it converged, and in which words. history: the
    loss at the start and after each iteration.
    """

    loss: float
    grad_norm: float
    iterations: int
    evaluations: int
    products: int
    success: bool
    message: str
    history: list[float] = field(repr=False)


def minimize(
    model: Module, loss: Any, data: tuple[Any, Any], method: str = "L-BFGS", *,
    max_iter: int = 100, gtol: float = 1e-5, weight_decay: float = 0.0, damping: float = 0.0,
    history_size: int = 10, memory_budget: Budget = None, batch_size: int | None = None,
    callback: Callable[[Iteration], Any] | None = None, layout: str = "NCHW",
) -> Minimum:
    """Minimise loss(θ) + weight_decay/2 |θ|² in all trained parameters θ, over the whole batch.

    - "L-BFGS": from the last `history_size` gradients; memory 16 · history_size bytes for each
      parameter. For nets of any size, where the whole batch can be afforded.
    - "BFGS": from all gradients; 8 n² bytes for n parameters.
    - "Newton-CG": steps by conjugate gradients on products with the Hessian, which it never makes.
    - "Newton": θ ← θ - (H + damping I)⁻¹ ∇loss with the exact Hessian, for small nets. It solves a
      quadratic in one step.

    L-BFGS, BFGS and Newton-CG are scipy.optimize's. All noise is off: the model is in eval mode
    meanwhile, so that dropout does nothing and batch norm uses its running statistics. A loss that
    is random even then is refused.

    data: (x, y), arrays of the whole batch. A batch that does not fit `memory_budget` is computed
    in micro-batches, or in ones of at most `batch_size` examples; their sums are in float64, and
    the loss must be a mean or a sum over examples then. gtol:
    the largest absolute entry of the gradient at which to stop. callback: called after each
    iteration with an `Iteration`. An error or Ctrl-C leaves the best parameters so far.

    Raises ValueError for an unknown method, a random loss, a singular Hessian, or too many
    parameters for their matrix; NonFiniteError if the loss is not finite at the start;
    MemoryBudgetError if one example does not fit.

    Source: Nocedal and Wright, "Numerical optimization", 2006, chapters 3, 6 and 7.

    >>> import fastnn as fn
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> model = fn.nn.Linear(3, 1)
    >>> found = minimize(model, fn.nn.MSELoss(), (x, x @ [[1.0], [2.0], [3.0]]))
    >>> found.success, bool(np.allclose(model.weight.data, [[1, 2, 3]], atol=1e-3))
    (True, True)
    """
    choice(method, "method", METHODS)
    most = integer(max_iter, "max_iter", "a number of iterations from 1 on", 1)
    gtol = real(gtol, "gtol", "a number from 0 on", 0)
    decay = real(weight_decay, "weight_decay", "a number from 0 on", 0)
    damping = real(damping, "damping", "a number from 0 on", 0)
    memory = integer(history_size, "history_size", "a number of gradients from 1 on", 1)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function, got {callback!r:.60}")
    with ExitStack() as quiet:
        for module in (model, loss):
            if isinstance(module, Module):
                quiet.enter_context(in_use(module))
        check_model_and_loss(model, loss)
        parameters = sum(p.size for p in trainable(model, loss).values())
        batch = FullBatch(model, loss, data, memory_budget,
                          _held(method, parameters, memory), batch_size, layout)
        objective = Objective(batch, decay, callback)
        try:
            success, message = (
                newton(objective, most, gtol, damping) if method == "Newton" else
                _by_scipy(objective, method, most, gtol, memory))
        finally:
            objective.restore()
    return Minimum(objective.least, objective.grad_norm, len(objective.history) - 1,
                   objective.evaluations, objective.products, success, message, objective.history)


def _held(method: str, parameters: int, memory: int) -> int:
    """Bytes that a method takes beside the evaluations: its vectors or matrices, in float64."""
    numbers = {"L-BFGS": (2 * memory + 10) * parameters, "Newton-CG": 12 * parameters,
               "BFGS": 4 * parameters**2, "Newton": 4 * parameters**2}[method]
    return 8 * numbers


def _by_scipy(
    objective: Objective, method: str, max_iter: int, gtol: float, memory: int
) -> tuple[bool, str]:
    options: dict[str, Any] = {"maxiter": max_iter}
    if method == "L-BFGS":
        options |= {"gtol": gtol, "maxcor": memory, "ftol": PRECISION, "maxfun": 20 * max_iter}
    elif method == "BFGS":
        options |= {"gtol": gtol}
    else:
        options |= {"xtol": PRECISION}
    def iterated(point: Any) -> None:
        objective.iterated()
        if objective.grad_norm <= gtol:
            raise StopIteration

    if objective.grad_norm <= gtol:
        return True, SMALL
    found = optimize.minimize(
        objective, objective.start, method="L-BFGS-B" if method == "L-BFGS" else method, jac=True,
        hessp=objective.product if method == "Newton-CG" else None, options=options,
        callback=iterated)
    if objective.grad_norm <= gtol:
        return True, SMALL
    if objective.overflowed:
        return False, (f"the loss was not finite at evaluation {objective.overflowed}, and the "
                       f"gradient is not small at the best point: {found.message}")
    return bool(found.success), str(found.message)
