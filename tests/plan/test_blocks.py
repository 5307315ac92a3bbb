"""Blocks of a chain: each task in one of them, and larger towards the front where they may grow."""

import numpy as np
import pytest

from fastnn.plan.recompute.blocks import blocks
from tests.plan.random_problems import Forward, differentiate


def _chain(length):
    """Operations of equal time and size, one after another."""
    forward = Forward(np.random.default_rng(0))
    last = forward.op([], size=4, seconds=1.0, needs=[])
    for _ in range(length - 1):
        last = forward.op([last], size=4, seconds=1.0, needs=[last])
    return differentiate(forward)


@pytest.mark.parametrize("growth", [1, 1.5, 2, 3])
@pytest.mark.parametrize("most", [2, 5, 12])
def test_blocks_cover_the_chain(most, growth):
    problem = _chain(120)
    parts = blocks(problem, most, growth)
    assert 2 <= len(parts) <= most
    assert [part.first for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == problem.forward
    backward = [number for part in reversed(parts) for number in part.backward]
    assert backward == list(range(problem.forward, len(problem.tasks)))


def test_blocks_grow_towards_the_front():
    sizes = [part.end - part.first for part in blocks(_chain(240), 12)][1:]
    assert max(sizes) - min(sizes) <= 2, "equal ones by default"
    grown = [part.end - part.first for part in blocks(_chain(240), 12, 2)][1:]
    assert grown == sorted(grown, reverse=True)
    # i^2 / 12^2 of 240 tasks lie behind the i-th boundary from the end.
    behind = np.cumsum(grown[::-1])
    assert np.abs(behind - 240 * (np.arange(1, len(grown) + 1) / 11) ** 2).max() <= 4
