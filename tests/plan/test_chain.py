"""Chains of blocks: a table says what its schedules take, and cuts lie where little crosses."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from fastnn.plan.recompute.chain_table import row_of

from fastnn.plan.recompute.blocks import Block, blocks
from fastnn.plan.recompute.chain import Table, make_chain, schedule, solve
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.options import Option, options, thresholds
from tests.plan.oracles import LiveSets
from tests.plan.random_problems import MOTIFS, UNIT, Forward, differentiate, random_problem

PROBLEMS = {**{f"random {seed}": random_problem(seed, 12) for seed in range(12)},
            **{name: make(0) for name, make in MOTIFS.items()}}


def _check_runs(problem, order):
    """Every task once in its order, only forward ones again, and no value is read unmade."""
    assert list(dict.fromkeys(order)) == list(problem.everything)
    made = set()
    seen = set()
    for number in order:
        task = problem.tasks[number]
        assert number not in seen or task.recomputable
        assert made.issuperset(task.inputs)
        made.update(task.outputs)
        seen.add(number)


def _schedules(problem, most):
    """(units, what the table says of the seconds, the schedule) of each limit, in UNITs."""
    parts = blocks(problem, most)
    table = solve(make_chain(problem, parts), 256 * UNIT)
    assert table.unit == UNIT
    seconds = table.seconds[row_of(0, len(parts) - 1)]
    return [(limit, float(seconds[limit]), schedule(problem, table, limit))
            for limit in table.limits()]


@pytest.mark.parametrize("most", [3, 6, 12])
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_table_says_what_its_schedules_take(name, most):
    """Seconds to rounding; bytes never more than the limit."""
    problem = PROBLEMS[name]
    whole = problem.seconds(problem.everything)
    forward = sum(task.seconds for task in problem.tasks[:problem.forward])
    for limit, seconds, order in _schedules(problem, most):
        _check_runs(problem, order)
        assert Liveness(problem, order).peak <= limit * UNIT
        assert problem.seconds(order) - whole == pytest.approx(seconds - forward, abs=1e-3)


def _chain(length, size=1, seconds=1.0):
    """Operations one after another, whose gradients read what they read."""
    forward = Forward(np.random.default_rng(0))
    last = forward.op([], size, seconds, [])
    for _ in range(length - 1):
        last = forward.op([last], size, seconds, [last])
    return differentiate(forward, weights=False)


@pytest.mark.parametrize("length", [3, 5, 8])
def test_a_chain_of_single_operations_is_near_the_optimum(length):
    """At every limit, by a search that knows nothing of blocks, whose inputs a chain holds."""
    problem = _chain(length)
    best = LiveSets(problem)
    found = _schedules(problem, length)
    assert [limit for limit, *_ in found] == list(range(4, max(length, 4) + 1))
    for limit, _, order in found:
        least = best.least_seconds(limit * UNIT)
        assert least * (1 - 1e-9) <= problem.seconds(order) <= 1.11 * least
    assert found[-1][2] == problem.everything


def test_what_a_block_may_keep():
    """Operations 1 and 2 of a chain whose values are of 1, 2, 4, 8, 16 units; 3 reads the second.

    Kept or not, both values are there together at the end of the forward pass. Backward, the
    second's gradient makes that of the first (2 units) beside the first value, kept or made again;
    and then that of the input (1 unit) beside this, when only a kept value is still there.
    """
    forward = Forward(np.random.default_rng(0))
    for i in range(5):
        forward.op([i - 1] if i else [], 1 << i, 10.0 + i, [i - 1] if i else [])
    problem = differentiate(forward, weights=False)
    second, first = 5 + 5 - 3, 5 + 5 - 2  # the gradients' tasks
    kept, again = options(problem, Block(1, 3, (second, first)))
    assert kept == Option(frozenset({1}), (second, first), 0, 2 * UNIT, 6 * UNIT, 5 * UNIT)
    assert again == Option(frozenset(), (1, second, first), 11.0, 0, 6 * UNIT, 4 * UNIT)


def test_no_block_keeps_what_is_to_be_dropped():
    problem = replace(_chain(5), dropped=frozenset({1}))
    found = options(problem, Block(1, 4, (6, 7, 8)))
    assert [set(option.kept) for option in found] == [{2}, set()]
    assert all(1 in option.backward for option in found)


def test_what_the_next_block_reads_stays():
    """Values of 2, 4 and 8 units, of which the next block's first operation reads first and last.

    The first is there while the third is made, 14 units with the second; kept they are anyway.
    """
    forward = Forward(np.random.default_rng(0))
    for i in range(6):
        forward.op([i - 1, 1] if i == 4 else [i - 1] if i else [], 1 << i, 10.0 + i,
                   [i - 1] if i else [])
    problem = differentiate(forward, weights=False)
    for option in options(problem, Block(1, 4, (8, 9, 10))):
        assert option.forward_peak == 14 * UNIT
        assert option.inner_bytes == (4 * UNIT if 2 in option.kept else 0)


def test_residual_blocks_take_just_what_the_table_says():
    for name in ("residual", "shared"):
        problem = PROBLEMS[name]
        (limit, _, order), *_ = _schedules(problem, 6)
        assert Liveness(problem, order).peak == limit * UNIT


@pytest.mark.parametrize("name", PROBLEMS)
def test_forgetting_all_below_a_threshold(name):
    """From keeping everything to keeping nothing that can be made again: less held, more runs."""
    problem = PROBLEMS[name]
    found = thresholds(problem, 12)
    assert len(found) <= 13 and found[0] == problem.everything
    for order in found:
        _check_runs(problem, order)
    seconds = [problem.seconds(order) for order in found]
    assert seconds == sorted(seconds) and len(set(found)) == len(found)
    read = {value for task in problem.tasks[problem.forward:] for value in task.inputs
            if problem.recomputable[value]}
    again = found[-1][problem.forward:]
    assert {problem.producer[value] for value in read} <= set(again)


def test_cuts_are_where_the_least_crosses():
    """One in each third of the time; a value that is read over a cut is counted with it."""
    def cuts(skip):
        forward = Forward(np.random.default_rng(0))
        sizes = [9, 9, 2, 9, 9, 3, 9, 9, 9, 4, 9, 1]
        for i, size in enumerate(sizes):
            before = [i - 1] if i else []
            forward.op([*before, *([skip] if skip and i == skip + 3 else [])], size, 1.0, before)
        parts = blocks(differentiate(forward), 4)
        assert [(part.first, part.end) for part in parts[1:]] == [
            (before.end, part.end) for before, part in pairwise(parts)]
        return [part.end for part in parts]

    assert cuts(None) == [3, 6, 10, 12]
    assert cuts(4) == [3, 5, 10, 12]  # 5 units beside 6's 3 are more than 9
    assert cuts(8) == [3, 6, 8, 12]  # the first of two where 9 cross


@pytest.mark.parametrize("most", [3, 6, 40])
@pytest.mark.parametrize("name", [*PROBLEMS, "early reader"])
def test_blocks_have_their_own_backward_tasks(name, most):
    """Those read nothing of a later block, and nothing that lies wholly before theirs."""
    if name == "early reader":
        forward = Forward(np.random.default_rng(0))
        for i in range(9):
            forward.op([i - 1] if i else [], 4, 1.0, [1, 5] if i == 2 else [i - 1] if i else [])
        problem = differentiate(forward)
        ends = [part.end for part in blocks(problem, most)]
        assert {3, 4, 5}.isdisjoint(ends)  # one gradient reads 1 and 5
    else:
        problem = PROBLEMS[name]
    parts = blocks(problem, most)
    assert [number for part in reversed(parts) for number in part.backward] == list(
        range(problem.forward, len(problem.tasks)))
    for part in parts:
        for number in part.backward:
            for value in problem.tasks[number].inputs:
                if problem.recomputable[value]:
                    assert problem.producer[value] < part.end
                    last = max(problem.producer[value], problem.last_forward[value])
                    assert last >= part.first


def test_limits_are_where_the_best_schedule_changes():
    """The first is the least at which there is one, even where it keeps nothing."""
    chain = SimpleNamespace(blocks=[None])
    for seconds, limits in (([3.0, 2.0, 2.0, 1.0], [0, 1, 3]), ([np.inf, 2.0, 2.0], [1])):
        table = Table(chain, 1, np.array([seconds]), np.zeros((1, len(seconds)), np.int64))
        assert table.limits() == limits
