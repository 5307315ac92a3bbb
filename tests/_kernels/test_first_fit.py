"""Packing: nothing overlaps, and each buffer lies as low as the ones before it allow."""

import numpy as np
import pytest
from fastnn._kernels.first_fit import first_fit


@pytest.mark.parametrize("seed", range(40))
def test_each_at_the_lowest_free_offset(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 40))
    sizes = rng.integers(1, 9, count)
    first = rng.integers(0, 12, count)
    last = first + rng.integers(0, 6, count)
    offsets = first_fit(sizes, first, last)
    for i in range(count):
        together = [k for k in range(i) if first[k] <= last[i] and last[k] >= first[i]]
        taken = {byte for k in together for byte in range(offsets[k], offsets[k] + sizes[k])}
        expected = next(start for start in range(1000)
                        if taken.isdisjoint(range(start, start + sizes[i])))
        assert offsets[i] == expected
