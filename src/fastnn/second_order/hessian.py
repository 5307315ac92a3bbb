"""The Hessian of a loss: its products with vectors, and itself where it is small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.nn.module import Module
from fastnn.plan.budget import Budget, format_bytes
from fastnn.second_order.full_batch import FullBatch, Vector
from fastnn.spec import ShapeError

MOST = 20_000  # parameters, whose Hessian takes 3.2 GB


def hvp(
    model: Module, loss: Any, data: tuple[Any, Any], vector: Mapping[str, Any],
    memory_budget: Budget = None,
) -> tuple[float, dict[str, np.ndarray]]:
    """(loss, H vector), with the Hessian H of the loss in the model's trained parameters.

    H vector = ∇⟨∇loss, vector⟩: about the time of two gradients, and no memory for H. To compute
    many products at one place, plan once: `FullBatch.product`.

    vector: {parameter name: array of its shape}; names that are left out are zeros. data: (x, y),
    the whole batch. memory_budget: as for `TrainStep`; the batch is split where it does not fit.

    Raises ValueError for an unknown name or a random loss, ShapeError for another shape, TypeError
    for an operation without a second derivative.

    Source: Pearlmutter, "Fast exact multiplication by the Hessian", 1994.

    >>> import fastnn as fn
    >>> model, x = fn.nn.Linear(1, 1, bias=False), np.array([[1.0], [2.0]])
    >>> value, product = hvp(model, fn.nn.MSELoss(), (x, x), {"weight": [[1.0]]})
    >>> product["weight"]  # the second derivative of mean((w x - x)²) is 2 mean(x²)
    array([[5.]], dtype=float32)
    """
    batch = FullBatch(model, loss, data, memory_budget)
    unknown = vector.keys() - set(batch.names)
    if unknown:
        raise ValueError(f"vector: the model trains no {sorted(unknown)[0]!r}, but "
                         f"{', '.join(batch.names[:5])}")
    value, _ = batch.value_and_grad()
    return value, batch.split(batch.product(_flat(batch, vector)))


def _flat(batch: FullBatch, vector: Mapping[str, Any]) -> Vector:
    parts = []
    for name, zero in batch.split(np.zeros(batch.size)).items():
        array = np.asarray(vector.get(name, zero), np.float64)
        if array.shape != zero.shape:
            raise ShapeError(f"vector[{name!r}] has shape {array.shape}, expected {zero.shape}")
        parts.append(array.ravel())
    return np.concatenate(parts)


def hessian(
    model: Module, loss: Any, data: tuple[Any, Any], memory_budget: Budget = None
) -> Vector:
    """H (n, n), float64: the second derivatives of a loss in all n trained parameters.

    The parameters are those of `named_parameters` that are not frozen, flattened one after the
    other. It takes n products, and 8 n² bytes: for small nets. Products are float32; H is made
    symmetric.

    Raises ValueError beyond 20,000 parameters, with the bytes that it would take, and as `hvp`.

    >>> import fastnn as fn
    >>> model, x = fn.nn.Linear(1, 1), np.array([[1.0], [2.0]])
    >>> hessian(model, fn.nn.MSELoss(), (x, x))
    array([[5., 3.],
           [3., 2.]])
    """
    return hessian_of(FullBatch(model, loss, data, memory_budget))


def hessian_of(batch: FullBatch) -> Vector:
    """The Hessian of a batch's loss at the parameters of now."""
    if batch.size > MOST:
        raise ValueError(f"the Hessian of {batch.size:,} parameters has {batch.size:,}² numbers, "
                         f"{format_bytes(8 * batch.size**2)}: use hvp, or minimize by Newton-CG or "
                         "L-BFGS")
    rows = np.empty((batch.size, batch.size))
    unit = np.zeros(batch.size)
    for place in range(batch.size):
        unit[place] = 1.0
        rows[place] = batch.product(unit)
        unit[place] = 0.0
    return (rows + rows.T) / 2
