"""Newton's method with the exact Hessian, for small nets."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import LinAlgError, eigh

from fastnn.second_order.full_batch import Vector
from fastnn.second_order.hessian import hessian_of
from fastnn.second_order.objective import Objective

SINGULAR = 1e-6  # smaller eigenvalues, as a share of the largest, are float32's rounding
SHORTEST = 2.0**-20
SLOPE = 1e-4  # of the decrease that a line search asks for (Armijo, 1966)


def newton(objective: Objective, max_iter: int, gtol: float, damping: float) -> tuple[bool, str]:
    """Step θ ← θ - t (H + damping I)⁻¹ ∇loss until the gradient is small.

    t is 1, or halved until the loss falls. Returns (whether it converged, why it ended). Raises
    ValueError for a singular Hessian, or one with negative eigenvalues.
    """
    for _ in range(max_iter):
        value, grad = objective(objective.best)
        if np.abs(grad).max() <= gtol:
            return True, "the gradient is small"
        step = _step(objective, grad, damping)
        if not _search(objective, value, grad, step):
            return False, "no step along Newton's direction lowers the loss any more"
        objective.iterated()
    small = objective.grad_norm <= gtol
    return small, "the gradient is small" if small else f"{max_iter} iterations were made"


def _step(objective: Objective, grad: Vector, damping: float) -> Vector:
    """(H + damping I)⁻¹ grad."""
    point = objective.best
    objective.batch.parameters = point
    matrix = hessian_of(objective.batch) + objective.decay * np.eye(grad.size)
    objective.products += grad.size
    try:
        values, vectors = eigh(matrix)
    except (LinAlgError, ValueError) as error:
        raise ValueError(f"the Hessian has no eigenvalues: {error}") from error
    values = values + damping
    largest = np.abs(values).max()
    if np.abs(values).min() <= SINGULAR * largest:
        flat = int((np.abs(values) <= SINGULAR * largest).sum())
        raise ValueError(
            f"the Hessian is singular: {flat} of its {grad.size} eigenvalues are 0 beside the "
            f"largest, {largest:.3g}, so that the Newton step is not defined. Name a damping > 0, "
            "add weight_decay, or use L-BFGS")
    if values.min() < 0:
        raise ValueError(
            f"the Newton step leads to a saddle or uphill: {int((values < 0).sum())} of the "
            f"Hessian's {grad.size} eigenvalues are negative, the least is {values.min():.3g}. "
            f"Name a damping above {damping - values.min():.3g}, or use Newton-CG or L-BFGS")
    step: Vector = vectors @ ((vectors.T @ grad) / values)
    return step


def _search(objective: Objective, value: float, grad: Vector, step: Vector) -> bool:
    """Take the longest of the steps 1, 1/2, 1/4, ... that lowers the loss; whether there is one."""
    start, length = objective.best, 1.0
    while length >= SHORTEST:
        reached, _ = objective(start - length * step)
        if math.isfinite(reached) and reached <= value - SLOPE * length * float(grad @ step):
            return True
        length /= 2
    return False
