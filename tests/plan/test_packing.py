"""Packed buffers: apart from each other, and in more room never packed worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.plan.memory import packing
from fastnn.plan.memory.packing import most_at_once, pack
from tests.plan.test_first_fit import intervals

BUFFERS = st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 30), st.integers(0, 12)),
                   max_size=30)


def check(sizes, first, last, offsets, total):
    for i in range(len(sizes)):
        assert 0 <= offsets[i] <= total - sizes[i]
        for j in range(i):
            if first[i] <= last[j] and last[i] >= first[j]:
                assert offsets[i] >= offsets[j] + sizes[j] or offsets[j] >= offsets[i] + sizes[i]


@settings(max_examples=60, deadline=None)
@given(BUFFERS, st.sampled_from([None, 0.0, 1.0, 1.1]))
def test_buffers_are_apart(buffers, share):
    sizes, first, length = np.array(buffers, np.int64).reshape(-1, 3).T.copy()
    last = first + length
    least = most_at_once(sizes, first, last)
    room = None if share is None else int(share * least)
    offsets, total = pack(sizes, first, last, room)
    assert total >= least
    check(sizes, first, last, offsets, total)


@pytest.mark.parametrize("seed", range(10))
def test_more_room_never_takes_longer_to_fill(seed):
    """What fits into some bytes fits into more of them."""
    columns = intervals(seed, 80, 100)
    least = most_at_once(*columns)
    plain = pack(*columns)[1]
    found = [pack(*columns, int(least * share)) for share in (1.0, 1.01, 1.03, 1.06, 1.1)]
    for offsets, total in found:
        check(*columns, offsets, total)
        assert total <= plain
    totals = [total for _, total in found]
    assert totals == sorted(totals), "a smaller room never ends with more bytes"


def test_a_search_packs_better():
    waste = []
    for seed in range(10):
        columns = intervals(seed, 80, 100)
        least = most_at_once(*columns)
        waste.append([pack(*columns, room)[1] / least - 1 for room in (None, least)])
    plain, searched = np.mean(waste, axis=0)
    assert searched < 0.5 * plain


# (bytes, first step, last step) of buffers. In use at steps 0 to 7: 4, 12, 12, 2, 14, 14, 1, 1.
FIVE = [(4, 0, 2), (8, 1, 2), (2, 3, 5), (12, 4, 5), (1, 6, 7)]


@pytest.mark.parametrize("order, expected", [
    (packing._by_size, [3, 1, 0, 2, 4]),
    (packing._by_life, [0, 2, 3, 1, 4]),  # of equal lives the larger first
    (packing._from_peak, [2, 3, 0, 1, 4]),  # the peak is at step 4; then lives 2 steps from it
    (packing._by_crowd, [3, 2, 1, 0, 4]),  # 14 bytes in their lives, then 12, then 1
])
def test_orders(order, expected):
    columns = np.array(FIVE, np.int64).T.copy()
    assert order(*columns).tolist() == expected
    assert most_at_once(*columns) == 14


def test_what_needs_no_search_is_packed_into_the_bytes_in_use():
    columns = np.array(FIVE, np.int64).T.copy()
    offsets, total = pack(*columns, 14)
    assert total == 14
    check(*columns, offsets, total)
