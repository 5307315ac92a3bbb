"""Muon: momentum made orthogonal, for the matrices of hidden layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from fastnn.arguments import choice, integer
from fastnn.optim.arguments import check_number, numbers_of
from fastnn.optim.optimizer import Group, Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's quintic, whose slope at 0 is large
MOST_STEPS = 99


class Muon(Optimizer):
    """p -= lr weight_decay p + lr r O, with O near the orthogonal matrix next to the momentum.

    m = momentum m + (1-momentum) g; with nesterov, momentum m + (1-momentum) g is taken in its
    place. Divided by its norm (or eps), it goes ns_steps times through the Newton-Schulz step
    X = a X + (b X Xᵀ + c (X Xᵀ)²) X, with (a, b, c) = ns_coefficients. As torch.optim.Muon, which
    rounds X to bfloat16. adjust_lr_fn: "original" (or None), r = sqrt(max(1, rows / columns)); or
    "match_rms_adamw", r = 0.2 sqrt(max(rows, columns)).
    Parameters are matrices; embeddings, heads, biases and norms are better left to AdamW.
    Raises ValueError for others. (Jordan et al., 2024; Liu et al., 2025)

    >>> import fastnn as fn
    >>> model = fn.nn.Sequential(fn.nn.Linear(4, 8), fn.nn.ReLU(), fn.nn.Linear(8, 2))
    >>> matrices = [p for p in model.parameters() if p.ndim == 2]
    >>> optimizer = fn.optim.Muon(matrices, lr=0.02, momentum=0.95)
    """

    state_names = ("momentum_buffer",)

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.1,
        momentum: float = 0.95, nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS, eps: float = 1e-7,
        ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(params, dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn))

    def check(self, group: Group) -> None:
        super().check(group)
        values = numbers_of("ns_coefficients", group["ns_coefficients"], COEFFICIENTS)
        group["ns_coefficients"] = tuple(check_number(f"ns_coefficients[{i}]", value)
                                         for i, value in enumerate(values))
        group["ns_steps"] = integer(group["ns_steps"], "ns_steps",
                                    f"an integer from 0 to {MOST_STEPS}", 0, MOST_STEPS)
        if group["adjust_lr_fn"] is not None:
            choice(group["adjust_lr_fn"], "adjust_lr_fn", ("original", "match_rms_adamw"))
        for parameter in group.get("params", ()):
            if len(parameter.shape) != 2:
                raise ValueError("Muon: parameters must be matrices, got one of shape "
                                 f"{parameter.shape}; give it to another optimizer, such as AdamW")

    def kernel(self, group: Group) -> str:
        return "muon"

    def rule(self, group: Group) -> tuple[Any, ...]:
        names = ("ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")
        return ("muon", *(group[name] for name in names))

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], group["momentum"],
                group["momentum"] if group["nesterov"] else 1.0]


def ratio(adjust_lr_fn: str | None, shape: tuple[int, ...]) -> float:
    """What Muon's rate is multiplied with for a matrix of this shape.

    >>> ratio("original", (400, 100)), ratio("match_rms_adamw", (400, 100))
    (2.0, 4.0)
    """
    rows, columns = shape
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / max(columns, 1)))
