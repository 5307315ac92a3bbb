"""What a case is: one use of an operation, its inputs, and its float64 twin.

A case drives every check of tests/ops/test_cases.py (value, gradient, threads, fusion, kinds of
arrays) and of tests/plan. An operation is tested by adding cases, never by a test of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

DEFAULT_TOLERANCE = 1e-5  # float32 with a few dozen terms; relative to value and the tensor's RMS

Maker = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Maker:
    """Standard normal values."""
    return lambda rng: rng.standard_normal(shape)


def between(low: float, high: float, *shape: int) -> Maker:
    """Uniform values."""
    return lambda rng: rng.uniform(low, high, shape)


def away_from_zero(*shape: int) -> Maker:
    """Values of both signs with a magnitude of at least 0.5."""
    return lambda rng: rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


def few(*shape: int) -> Maker:
    """Small whole numbers, so that many are equal."""
    return lambda rng: rng.integers(-2, 3, shape).astype(np.float32)


def classes(count: int, *shape: int) -> Maker:
    """Class numbers from 0 to count - 1."""
    return lambda rng: rng.integers(0, count, shape)


@dataclass(frozen=True)
class Case:
    """One use of an operation.

    build: a function of symbolic tensors. twin: the same of float64 arrays, in plain NumPy.
    inputs: shapes (standard normal values), arrays, or makers such as `between(0, 1, 3, 4)`.
    differentiable: numbers of the inputs whose gradient is checked; None: all of floats.
    gradient: (upstream, *inputs) -> gradients, where finite differences of the twin mean nothing
    (ties). tolerance: relative to value and RMS; `reason` says why it is not the default.
    """

    name: str
    build: Callable[..., Any]
    twin: Callable[..., np.ndarray]
    inputs: tuple[Any, ...]
    differentiable: tuple[int, ...] | None = None
    gradient: Callable[..., tuple[np.ndarray, ...]] | None = None
    tolerance: float = DEFAULT_TOLERANCE
    reason: str = ""

    def __post_init__(self) -> None:
        assert self.tolerance == DEFAULT_TOLERANCE or self.reason, f"{self.name}: say why"

    def generator(self, purpose: str = "") -> np.random.Generator:
        """Random numbers that depend on the name of the case alone."""
        return np.random.default_rng(crc32(f"{self.name}/{purpose}".encode()))

    def arrays(self) -> list[np.ndarray]:
        """The inputs, float32 or int64."""
        rng = self.generator("inputs")
        made = [entry(rng) if callable(entry) else
                normal(*entry)(rng) if isinstance(entry, tuple) else np.asarray(entry)
                for entry in self.inputs]
        return [array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
                for array in made]

    def wanted(self) -> tuple[int, ...]:
        """Numbers of the inputs whose gradient is checked."""
        if self.differentiable is not None:
            return self.differentiable
        return tuple(i for i, array in enumerate(self.arrays()) if array.dtype == np.float32)

    def __str__(self) -> str:
        return self.name
