"""Pack buffers with overlapping lifetimes into few bytes.

First-fit in some order: each buffer at the lowest offset that is free while it lives. Finding the
best order is NP-hard (dynamic storage allocation, Garey and Johnson, 1979, SR2). A search starts
from several good orders and moves buffers that end too high to earlier places. Its course depends
only on the buffers: a larger arena ends the same search earlier.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np

from fastnn.plan.memory.first_fit import FirstFit
from fastnn.plan.recompute.tables import Ints

SMALL = 512  # buffers up to 1 / SMALL of the bytes in use are placed last, wherever there is room
PATIENCE = 15  # changes without gain before the search starts from another order
TRIED = 3000  # orders tried at most
WORK = 150_000_000  # pairs of buffers compared at most


def most_at_once(sizes: Ints, first: Ints, last: Ints) -> int:
    """The most bytes in use at one step: a lower bound for any packing."""
    return int(_in_use(sizes, first, last).max())


def pack(sizes: Ints, first: Ints, last: Ints, room: int | None = None) -> tuple[Ints, int]:
    """The offset of each buffer, alive from step `first` through step `last`, and the total bytes.

    A search starts only if the simple orders take more than `room` bytes.
    """
    least = most_at_once(sizes, first, last)
    packing = _Best(sizes, first, last, least)
    for order in (_by_size(sizes, first, last), _by_life(sizes, first, last)):
        packing.take(order)
        if packing.total == least:
            break
    if room is not None and packing.total > room >= least:
        _search(packing, room, least)
    return packing.offsets, packing.total


class _Best:
    """The best packing of all orders tried."""

    def __init__(self, sizes: Ints, first: Ints, last: Ints, least: int) -> None:
        self.columns = sizes, first, last
        self._fit = FirstFit(sizes, first, last, least)
        self.total, self.offsets = 0, np.zeros(0, np.int64)

    def take(self, order: Ints) -> None:
        self._fit.start(order)
        if not self.offsets.size or self._fit.total < self.total:
            self.total, self.offsets = self._fit.total, self._fit.offsets


def _search(packing: _Best, room: int, least: int) -> None:
    """Look for better packings until one fits or the work is used up."""
    sizes = packing.columns[0]
    small = sizes <= least // SMALL
    large, rest = np.flatnonzero(~small), np.flatnonzero(small)
    rest = rest[np.argsort(-sizes[rest], kind="stable")]
    columns = [column[large] for column in packing.columns]
    climber = FirstFit(*columns, least)
    most = min(TRIED, WORK // max(large.size, 1) ** 2)
    best = packing.total
    for start in cycle([by(*columns) for by in ORDERS]):
        climber.start(start)
        better = climber.total < best
        while better or climber.climb(best, PATIENCE, most):
            best, better = climber.total, False
            packing.take(np.concatenate([large[climber.order], rest]))
            if packing.total <= room:
                return
        if climber.tried >= most:
            return


def _by_size(sizes: Ints, first: Ints, last: Ints) -> Ints:
    return np.lexsort((first, -sizes))


def _by_life(sizes: Ints, first: Ints, last: Ints) -> Ints:
    """The longest life first."""
    return np.lexsort((first, -sizes, first - last))


def _from_peak(sizes: Ints, first: Ints, last: Ints) -> Ints:
    """Buffers alive at the step with the most bytes first, then those alive near it."""
    peak = int(np.argmax(_in_use(sizes, first, last)))
    apart = np.maximum(np.maximum(first - peak, peak - last), 0)
    return np.lexsort((-sizes, first - last, apart))


def _by_crowd(sizes: Ints, first: Ints, last: Ints) -> Ints:
    """By the most bytes in use while each buffer lives."""
    used = _in_use(sizes, first, last)
    ends = np.stack([first, last + 1], 1).ravel()
    crowd = np.maximum.reduceat(np.append(used, 0), ends)[::2]
    return np.lexsort((-sizes, -crowd))


def _in_use(sizes: Ints, first: Ints, last: Ints) -> Ints:
    """Bytes at each step."""
    change = np.zeros(int(last.max(initial=0)) + 2, np.int64)
    np.add.at(change, first, sizes)
    np.subtract.at(change, last + 1, sizes)
    return np.cumsum(change)


ORDERS = (_by_life, _from_peak, _by_size, _by_crowd)
