"""Blocks of a chain: each task in one of them, and larger towards the front where they may grow."""

from itertools import pairwise

import numpy as np
import pytest

from fastnn.plan.recompute.blocks import blocks
from tests.plan.random_problems import MOTIFS, Forward, differentiate, random_problem


def _first_read_backward():
    """Its first value is read by the backward pass alone, before all others are."""
    forward = Forward(np.random.default_rng(0))
    first = forward.op([], 1, 1.0, [])
    last = forward.op([forward.op([], 1, 1.0, [])], 1, 1.0, [2])
    forward.op([last], 1, 1.0, [first])
    return differentiate(forward)


PROBLEMS = {"read backward": _first_read_backward(),
            **{f"random {seed}": random_problem(seed, 14) for seed in range(30)},
            **{name: make(0) for name, make in MOTIFS.items()}}


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


def test_no_more_blocks_than_asked_where_the_last_tasks_take_no_time():
    forward = Forward(np.random.default_rng(0))
    last = forward.op([], size=4, seconds=1.0, needs=[])
    for number in range(40):
        last = forward.op([last], size=4, seconds=float(number < 20), needs=[last])
    assert 2 <= len(blocks(differentiate(forward), 5)) <= 5


def _narrow_boundaries(problem):
    """Where blocks may end, by the definitions alone, each with its first backward task."""
    start, count, values = problem.forward, len(problem.tasks), []
    for value, maker in enumerate(problem.producer):
        if problem.recomputable[value]:
            readers = [i for i, task in enumerate(problem.tasks) if value in task.inputs]
            end = max([maker, *(i for i in readers if i < start)])
            values.append((problem.sizes[value], maker, end, [i for i in readers if i >= start]))
    crossing = [sum(size for size, maker, end, _ in values if maker < place <= end)
                for place in range(start + 1)]
    found = {}
    for place in range(1, start):
        before = min([i for _, _, end, late in values if end < place for i in late], default=count)
        after = max([i for _, maker, _, late in values if maker >= place for i in late], default=-1)
        if after < before and crossing[place] <= max(crossing[place - 1], crossing[place + 1]):
            found[place] = before
    return found


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_narrow_boundary_is_found(name):
    problem = PROBLEMS[name]
    ends = _narrow_boundaries(problem)
    parts = blocks(problem, problem.forward)
    assert [part.end for part in parts] == [*ends, problem.forward]
    limits = [len(problem.tasks), *ends.values(), problem.forward]
    assert [part.backward for part in parts] == [
        tuple(range(low, high)) for high, low in pairwise(limits)]
