"""Gradient clipping: two numbers that an update reads, which cost no pass of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastnn.nn.utils.clip_grad import scale_to
from fastnn.optim.arguments import check_number


@dataclass(frozen=True)
class Clipping:
    """How the gradients of a step are clipped: by their norm, by value, both, or not at all.

    g becomes clamp(scale g, -value, value) with scale = min(1, norm / (‖g‖ + 1e-6)), where ‖g‖ is
    the Euclidean norm of all gradients of the step together: the norm first, then the values. As
    torch.nn.utils.clip_grad_norm_ and then clip_grad_value_. (Pascanu, Mikolov and Bengio, 2013)

    norm, value: numbers from 0 on, or None. Raises TypeError, ValueError.

    >>> Clipping(norm=1.0).scale(16.0)
    0.24999993750001562
    >>> Clipping(value=0.5).limit
    0.5
    """

    norm: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        for name, number in (("clip_grad_norm", self.norm), ("clip_grad_value", self.value)):
            if number is not None:
                check_number(name, number, 0.0)

    def scale(self, square: float) -> float:
        """What gradients are multiplied with, if their squares sum up to `square`."""
        return 1.0 if self.norm is None else scale_to(self.norm, math.sqrt(square))

    @property
    def limit(self) -> float:
        """The largest magnitude of an element."""
        return math.inf if self.value is None else float(self.value)
