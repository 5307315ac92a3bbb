"""Packing: each interval lies as low as those before it allow, and a search finds better orders."""

import numpy as np
import pytest
from fastnn.plan.memory.first_fit import FirstFit

from fastnn.plan.memory.packing import most_at_once


def intervals(seed, count=40, steps=60):
    rng = np.random.default_rng(seed)
    sizes = 64 * rng.integers(1, 50, count)
    first = rng.integers(0, steps, count)
    return sizes, first, np.minimum(first + rng.integers(0, steps // 3, count), steps)


def lowest(sizes, first, last, order):
    """The lowest free offset of each, placed in an order."""
    offsets, placed = np.zeros(len(sizes), int), []
    for number in order:
        beside = [other for other in placed
                  if first[other] <= last[number] and last[other] >= first[number]]
        ends = [0, *(offsets[other] + sizes[other] for other in beside)]
        offsets[number] = min(
            floor for floor in ends if all(offsets[o] >= floor + sizes[number] or
                                           offsets[o] + sizes[o] <= floor for o in beside))
        placed.append(number)
    return offsets.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_the_lowest_free_offset(seed):
    columns = intervals(seed)
    order = np.random.default_rng(seed).permutation(len(columns[0]))
    fit = FirstFit(*columns, 0)
    fit.start(order)
    assert fit.offsets.tolist() == lowest(*columns, order)
    assert fit.total == max(fit.offsets + columns[0])


@pytest.mark.parametrize("seed", range(20))
def test_a_better_order_is_what_its_offsets_say(seed):
    columns = intervals(seed)
    fit = FirstFit(*columns, most_at_once(*columns))
    fit.start(np.arange(len(columns[0])))
    best = before = fit.total
    while fit.climb(best, 20, 2000):
        assert fit.total < best
        assert fit.offsets.tolist() == lowest(*columns, fit.order)
        best = fit.total
    assert best <= before
    assert sorted(fit.order.tolist()) == list(range(len(columns[0])))


def test_nothing_at_all():
    none = np.zeros(0, np.int64)
    fit = FirstFit(none, none, none, 0)
    fit.start(none)
    assert fit.total == 0 and not fit.climb(1, 10, 10)
