"""The team of a plan: one thread for small work, and no cliff when a layer grows by one unit."""

import pytest

import fastnn as fn
from fastnn import nn
from fastnn.plan.cost.predict import START_SECONDS, STARTS_PER_STEP


def _plan(units, batch=32):
    model = nn.Sequential(nn.Linear(10, units), nn.ReLU(), nn.Linear(units, 10))
    optimizer = fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer).plan((batch, 10))


@pytest.fixture
def two_threads():
    before = fn.get_num_threads()
    fn.set_num_threads(2)
    yield
    fn.set_num_threads(before)


def test_small_nets_stay_on_one_thread(two_threads):
    """45 and 46 units are where PyTorch goes from one thread to two."""
    assert {_plan(units).threads for units in (1, 45, 46, 47, 256)} == {1}
    assert _plan(1024, batch=256).threads == 2


def test_teams_only_grow_and_times_have_no_cliff(two_threads):
    sizes = [int(1.3**power) + more for power in range(9, 34) for more in (0, 1)]
    plans = [_plan(units) for units in sizes]
    teams = [plan.threads for plan in plans]
    assert teams == sorted(teams) and set(teams) == {1, 2}
    times = [plan.seconds for plan in plans]
    assert times == sorted(times)
    for units, time, larger in zip(sizes[::2], times[::2], times[1::2], strict=True):
        assert larger / time <= 1 + 1 / units, f"a cliff from {units} to {units + 1} units"


def test_a_team_is_taken_where_it_breaks_even(two_threads):
    """At the border both predictions agree but for the last unit."""
    low, high = 256, 1 << 15
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _plan(middle).threads == 2 else (middle, high)
    one, two = _plan(low), _plan(high)
    assert (one.threads, two.threads) == (1, 2)
    assert one.seconds <= two.seconds <= one.seconds * (1 + 1 / low)
    assert two.seconds > STARTS_PER_STEP * START_SECONDS
