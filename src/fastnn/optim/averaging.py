"""How averages of weights move: one formula, run by one kernel for all tensors at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn._kernels.program import Program
from fastnn._kernels.registry import kernel
from fastnn.optim.arguments import check_number

Weight = Callable[[int], float]


class Average:
    """average += weight(n) * (value - average), where n values are in the average so far.

    Called with lists of arrays, it changes the averages in place: as what PyTorch's
    get_ema_multi_avg_fn returns.
    """

    def __init__(self, weight: Weight) -> None:
        self.weight = weight

    def __call__(self, averages: Any, values: Any, num_averaged: int) -> Any:
        weight = self.weight(int(num_averaged))
        for average, value in zip(averages, values, strict=True):
            average[...] = average + weight * (value - average)


class AverageOfOne(Average):
    """Called with an average and a value, it returns the new average, as get_ema_avg_fn's."""

    def __call__(self, averages: Any, values: Any, num_averaged: int) -> Any:
        return averages + self.weight(int(num_averaged)) * (values - averages)


def ema_weight(decay: float) -> Weight:
    """The weight of an exponential moving average: always 1 - decay."""
    weight = 1.0 - check_number("decay", decay, 0.0)
    if weight < 0:
        raise ValueError(f"decay must be a number from 0 to 1, got {decay}")
    return lambda count: weight


def mean_weight(count: int) -> float:
    """The weight of a mean of all values."""
    return 1.0 / (count + 1)


class Mover:
    """Moves averages towards values, all of them float32 arrays, in one pass and in place."""

    def __init__(
        self, averages: Sequence[np.ndarray], values: Sequence[np.ndarray], threads: int
    ) -> None:
        self._numbers = np.array([1.0, math.inf, 0.0])  # the kernel's scale, limit and weight
        self._program = Program(threads)
        pairs = [array for pair in zip(averages, values, strict=True) for array in pair]
        memories = [self._numbers, np.zeros(1, np.int64), *pairs]
        slots = [self._program.add_slot(memory.nbytes) for memory in memories]
        buffers = [(slot, 0, memory.nbytes) for slot, memory in zip(slots, memories, strict=True)]
        sizes = [average.size for average in averages]
        self._program.add(kernel("ema"), buffers, (len(sizes), *sizes, *(0 for _ in sizes)), ())
        self._program.freeze()
        for slot, memory in zip(slots, memories, strict=True):
            self._program.bind(slot, memory)

    def __call__(self, weight: float) -> None:
        self._numbers[2] = weight
        self._program.run(0, 1)
