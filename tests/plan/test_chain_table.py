"""The best schedules of a chain's ranges by plain recursion, against the compiled table."""

from functools import cache

import numpy as np
import pytest
from fastnn.plan.recompute.chain_table import fill, row_of


@pytest.mark.parametrize("seed", range(8))
def test_every_stretch_and_limit(seed):
    rng = np.random.default_rng(seed)
    count, unit, slots = 5, 7, 24
    crossing = rng.integers(0, 40, (count, count + 1))
    held = (crossing + unit // 2) // unit
    arriving = rng.integers(0, 20, count)
    recompute = rng.random(count)
    counts = rng.integers(1, 4, count)
    starts = np.cumsum([0, *counts])
    options = np.stack([rng.integers(0, 60, starts[-1]), rng.integers(0, 90, starts[-1]),
                        rng.integers(0, 8, starts[-1])], 1)
    spent = rng.random(starts[-1])

    @cache
    def ways(first, last, units):
        """Seconds of the stretch by every choice."""
        found = {}
        for row in range(starts[first], starts[first + 1]):
            forward, backward, keeps = options[row].tolist()
            peak = max(forward + arriving[last], backward + arriving[first])
            left = units - keeps
            if units * unit < peak or (first < last and left < 0):
                continue
            rest = best(first + 1, last, left) if first < last else 0.0
            found[starts[first] - row - 1] = recompute[first] + spent[row] + rest
        for cut in range(first + 1, last + 1):
            reach = max(crossing[first, k] + options[starts[k + 1] - 1, 0]
                        for k in range(first, cut))
            left = units - held[first, cut]
            if units * unit < reach + arriving[last] or left < 0:
                continue
            found[cut] = (recompute[first:cut].sum() + best(cut, last, left)
                          + best(first, cut - 1, units))
        return found

    def best(first, last, units):
        return min(ways(first, last, units).values(), default=np.inf)

    seconds, choice = fill(crossing, held, arriving, recompute, starts, options, spent, unit, slots)
    for first in range(count):
        for last in range(first, count):
            row = row_of(first, last)
            for units in range(slots + 1):
                found, wanted = seconds[row, units], best(first, last, units)
                np.testing.assert_allclose(found, wanted, rtol=1e-5)
                if np.isfinite(wanted):
                    chosen = ways(first, last, units)[choice[row, units]]
                    np.testing.assert_allclose(chosen, wanted, rtol=1e-5)
