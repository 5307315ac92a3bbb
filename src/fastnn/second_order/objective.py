"""A full-batch loss as a function of one vector: counted, regularised, and its best point kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.engine.inputs import NonFiniteError
from fastnn.second_order.full_batch import FullBatch, Vector


@dataclass(frozen=True)
class Iteration:
    """What a callback hears after each iteration.

    grad_norm: the largest absolute entry of the gradient. evaluations: of loss and gradient so far.
    """

    number: int
    loss: float
    grad_norm: float
    evaluations: int


class Objective:
    """loss(θ) + weight_decay / 2 · |θ|², its gradient and its Hessian's products.

    `best` is the point of the least loss so far, to which `restore` brings the model. `history` has
    the loss at the start and after each iteration.
    """

    def __init__(
        self, batch: FullBatch, weight_decay: float, callback: Callable[[Iteration], Any] | None
    ) -> None:
        self.batch, self.decay, self._callback = batch, weight_decay, callback
        self.evaluations = self.products = 0
        self.overflowed = 0  # the first evaluation that was not finite, counted from 1
        self.start: Vector = batch.parameters
        self.best, self.least, self.grad_norm = self.start, math.inf, math.inf
        value, _ = self(self.start)
        if not math.isfinite(value):
            raise NonFiniteError(f"the loss is {value} before the first iteration: call the model "
                                 "on x to see where it comes from")
        self.history = [value]

    def __call__(self, point: Vector) -> tuple[float, Vector]:
        """(value, gradient); (infinity, zeros) where they are not finite, which searches avoid."""
        self.batch.parameters = point
        value, grad = self.batch.value_and_grad()
        self.evaluations += 1
        value += self.decay / 2 * float(point @ point)
        grad = grad + self.decay * point
        if not (math.isfinite(value) and np.isfinite(grad).all()):
            self.overflowed = self.overflowed or self.evaluations
            return math.inf, np.zeros_like(point)
        if value < self.least:
            self.best, self.least = point.copy(), value
            self.grad_norm = float(np.abs(grad).max())
        return value, grad

    def product(self, point: Vector, vector: Vector) -> Vector:
        """The Hessian at a point times a vector."""
        self.batch.parameters = point
        self.products += 1
        return self.batch.product(vector) + self.decay * vector

    def iterated(self) -> None:
        """Note that an iteration has ended."""
        self.history.append(self.least)
        if self._callback is not None:
            self._callback(Iteration(len(self.history) - 1, self.least, self.grad_norm,
                                     self.evaluations))

    def restore(self) -> None:
        """Give the model the best parameters."""
        self.batch.parameters = self.best
