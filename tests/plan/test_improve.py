"""Local moves: a limit is reached by what costs least a byte, and no run is left that may go."""

import numpy as np
import pytest

from fastnn.plan.recompute.improve import OVERHEAD, Effort, _with_room, overshoot, reduce, refill
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import recomputed_at
from tests.plan.oracles import LiveSets
from tests.plan.random_problems import MOTIFS, UNIT, Forward, differentiate, random_problem
from tests.plan.test_replay import random_schedule

ENOUGH = 10**7
PROBLEMS = {**{f"random {seed}": random_problem(seed, 7) for seed in range(8)},
            **{name: make(0) for name, make in MOTIFS.items()}}


def _limits(problem):
    """A few between the least that is possible and what keeping everything takes."""
    least, most = LiveSets(problem).least_bytes(), Liveness(problem, problem.everything).peak
    return [least + (most - least) * part // 4 // UNIT * UNIT for part in (1, 2, 3, 4)]


def test_moves_are_near_the_optimum():
    """Within the limit at every step; what `refill` gives back is no more than it may."""
    found = []
    for problem in PROBLEMS.values():
        best, whole = LiveSets(problem), problem.everything
        for limit in _limits(problem):
            order = reduce(problem, whole, limit, Effort(ENOUGH))
            after = refill(problem, order, limit, Effort(ENOUGH))
            before, liveness = Liveness(problem, order), Liveness(problem, after)
            assert max(before.peak, liveness.peak) <= limit
            assert liveness.seconds <= before.seconds
            found.append([each.seconds / best.least_seconds(limit) for each in (before, liveness)])
            assert refill(problem, order, 10**9, Effort(ENOUGH)) == whole
        assert reduce(problem, whole, best.least_bytes() - 1, Effort(ENOUGH)) is None
    reduced, refilled = np.array(found).T
    assert reduced.max() <= 1.31 and reduced.mean() <= 1.02
    assert refilled.max() <= 1.11 and refilled.mean() <= 1.005
    assert (refilled < 1 + 1e-9).mean() >= 0.9


def _two_held(sizes, seconds):
    """A chain in which values 1 and 3 are held, and small ones that are dear to make again."""
    forward = Forward(np.random.default_rng(0))
    last = forward.op([], 1, 100.0, [])
    for size, time in zip(sizes, seconds, strict=True):
        held = forward.op([last], size, time, [last])
        last = forward.op([held], 1, 100.0, [held])
    for _ in range(2):
        last = forward.op([last], 8, 100.0, [last])
    forward.op([last], 1, 100.0, [last])
    return differentiate(forward, weights=False)


@pytest.mark.parametrize("sizes, seconds, expected", [
    ((4, 4), (10.0, 2.0), 3), ((4, 4), (2.0, 10.0), 1),  # the cheaper one of two of a size
    ((6, 3), (5.0, 4.0), 1), ((3, 6), (4.0, 5.0), 3)])  # the larger one, for its bytes
def test_what_costs_least_a_byte_is_forgotten_first(sizes, seconds, expected):
    problem = _two_held(sizes, seconds)
    limit = Liveness(problem, problem.everything).peak - max(sizes) * UNIT
    order = reduce(problem, problem.everything, limit, Effort(ENOUGH))
    assert [order[place] for place in recomputed_at(order)] == [expected]


def test_stages_above_a_limit():
    """The most of each first run with the replays before it, however many these are."""
    problem = _two_held((4, 4), (10.0, 2.0))
    liveness = Liveness(problem, problem.everything)
    limit = int(np.median(liveness.used))
    assert overshoot(liveness, limit) == np.maximum(liveness.used - limit, 0).sum() > 0
    assert overshoot(liveness, liveness.peak) == 0 and overshoot(liveness, liveness.peak - 1) >= 1


def test_effort_is_shared_and_given_back():
    effort = Effort(1000)
    first, second = effort.share(3), effort.share(2)
    assert (first.steps, second.steps, effort.steps) == (333, 333, 334)
    assert first.spend(20) and first.steps == 333 - 20 - OVERHEAD
    assert not first.spend(1) and first.steps < 0
    effort.take_back(first)  # what was overdrawn is nobody's debt
    effort.take_back(second)
    assert effort.steps == 667
    assert Effort(OVERHEAD + 5).spend(5) and not Effort(OVERHEAD + 4).spend(5)
    assert Effort(-5).share(2).steps == 0


def test_without_effort_a_schedule_stays_or_is_given_up():
    problem = PROBLEMS["residual"]
    limit = _limits(problem)[0]
    order = reduce(problem, problem.everything, limit, Effort(ENOUGH))
    assert reduce(problem, problem.everything, limit, Effort(OVERHEAD)) is None
    assert refill(problem, order, 10**9, Effort(0)) == order


@pytest.mark.parametrize("seed", range(6))
def test_second_runs_whose_values_there_is_room_to_hold(seed):
    """The dearest first: over all steps from the last reading before to the second run."""
    problem = random_problem(seed, 12)
    order = random_schedule(problem, np.random.default_rng(seed), 12)
    liveness = Liveness(problem, order)
    instances = list(zip(liveness.made.tolist(), liveness.value.tolist(),
                         liveness.last_read.tolist(), strict=True))
    found = 0
    least, most = liveness.used.min(), liveness.peak + 64 * UNIT
    for limit in np.linspace(least, most, 9).astype(int).tolist():
        expected = []
        for place in recomputed_at(order):
            size, start = 0, place
            for value in problem.tasks[order[place]].recomputed.outputs:
                before = max((made, last) for made, which, last in instances
                             if which == value and made < place)
                size, start = size + problem.reserved[value], min(start, before[1])
            if all(used + size <= limit for used in liveness.used[start + 1:place]):
                expected.append(place)
        expected.sort(key=lambda place: (-problem.tasks[order[place]].recomputed.seconds, place))
        assert _with_room(problem, liveness, limit) == expected
        found += len(expected)
    assert found > len(recomputed_at(order)) > 2
