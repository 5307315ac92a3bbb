"""Where activation functions are flat, so that no gradient passes: saturated and dead units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastnn.graph import Node

STEEP = 0.05  # of the largest slope: below, a value counts as saturated
# Of an output y: whether the function's slope there is under 5% of its largest.
_FLAT: dict[str, Callable[[np.ndarray, tuple[float, ...]], np.ndarray]] = {
    "sigmoid": lambda y, _: y * (1 - y) < STEEP / 4,
    "tanh": lambda y, _: 1 - y * y < STEEP,
    "softsign": lambda y, _: np.square(1 - np.abs(y)) < STEEP,
    "softplus": lambda y, arguments: 1 - np.exp(-arguments[0] * y) < STEEP,
    "elu": lambda y, arguments: y < (STEEP - 1) * arguments[0],
    "selu": lambda y, _: y < (STEEP - 1) * 1.7580993408473766,
    "relu": lambda y, _: y <= 0,
    "hardtanh": lambda y, arguments: (y <= arguments[0]) | (y >= arguments[1]),
    "hardsigmoid": lambda y, _: (y <= 0) | (y >= 1),
}


def flat_parts(node: Node, y: np.ndarray) -> np.ndarray | None:
    """A mask of the values at which an activation is flat; None for other operations.

    Flat is where its slope is under 5% of its largest: a sigmoid beyond 0.0127 and 0.9873, a tanh
    beyond ±0.975, a ReLU that is 0.
    """
    rule = _FLAT.get(node.op.name)
    return None if rule is None else rule(y, tuple(getattr(node.op, "arguments", ())))


def dead_share(flat: np.ndarray) -> float:
    """The share of units (axis 1, or the last of a vector) that are flat wherever they are seen."""
    if flat.ndim < 2:
        return float(flat.all())
    axes = (0, *range(2, flat.ndim))
    return float(flat.all(axis=axes).mean())
