"""What a plan says of itself: bytes, what budgets cost, and the table that is printed."""

from dataclasses import replace

import pytest

import fastnn as fn
from fastnn.plan.cost.predict import STARTS_PER_STEP


@pytest.fixture
def plan():
    """Of a small net's step, with round numbers for what depends on the process.

    Its batch is of 200 bytes.
    """
    model = fn.nn.Sequential(fn.nn.Linear(5, 3), fn.nn.Tanh(), fn.nn.BatchNorm1d(3),
                             fn.nn.Linear(3, 2))
    step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    return replace(step.plan((7, 5)), baseline_bytes=10_000_000, beside=200, running=300, growth=50,
                   smallest_arena=lambda: 64, packed=lambda: [(64, 3.0), (128, 1.0)])


def test_bytes(plan):
    assert plan.peak_bytes == 10_000_000 + 200 + 300 + plan.layout.arena_bytes
    assert plan.frontier() == [(10_000_000 + 200 + 300 + 64, 3.0),
                               (10_000_000 + 200 + 300 + 128, 1.0)]
    least = 10_000_000 + 200 + 300 + 64 + 50
    assert least <= plan.min_bytes <= least + (1 << 20)  # and what the search leaves


def test_the_table_that_is_printed(plan):
    """Parts in their order, recomputations, one thread where it is, and the peak."""
    alone = replace(plan.steps[4], threads=1)
    plan = replace(plan, recomputed_steps=(13, 16), threads=2, steps=(
        *(replace(step, threads=2) for step in plan.steps[:4]), alone,
        *(replace(step, threads=2) for step in plan.steps[5:])))
    count, forward, updates = len(plan.steps), plan.graph.forward_nodes, plan.graph.first_update
    head, size, recomputed, columns, *rows = str(plan).splitlines()
    assert head.startswith(f"plan: {count} steps, 2 thread(s), predicted ")
    assert size.startswith("bytes: baseline 9.5 MiB, arena ") and "batch 200 B, peak 9.6" in size
    assert recomputed == "recomputed: 2 value(s)"
    assert columns.split() == ["part", "layer", "operation", "shape", "kernels", "way", "live"]
    expected = ["forward"] * forward + ["backward"] * (updates - forward - 2) + ["check"] * 2 + [
        "update"] * (count - updates)
    expected[13] = expected[16] = "recompute"
    assert [row.split()[:2] for row in rows] == [[str(i), part] for i, part in enumerate(expected)]
    assert 8 <= forward < 13 and [row.split()[3] for row in rows[updates:]] == [
        "batch_norm_update", "sgd"]
    assert rows[0].split()[2:6] == ["0", "linear", "7x3", "linear_forward"]
    assert {row[columns.index("way")] for row in rows} == {"-"}, "no convolution"
    assert "(view)" in rows[8] and rows[updates].split()[4] == "-"
    live = [plan.layout.live_bytes(i) for i in range(count)]
    assert [i for i, row in enumerate(rows) if row.endswith("<- peak")] == [live.index(max(live))]
    assert [i for i, row in enumerate(rows) if "one thread" in row] == [4]
    assert plan.single_threaded == {4}
    assert plan.recomputed == ("3:linear_grad_weight", "3:linear_grad_input")


def test_seconds_are_of_all_steps_and_of_a_teams_start(plan):
    rates = fn.plan.plan.machine_rates(1)
    assert plan.seconds == pytest.approx(sum(rates.node_seconds(s.node) for s in plan.steps))
    assert STARTS_PER_STEP > 0
    team = replace(plan, threads=2, steps=tuple(replace(s, threads=2) for s in plan.steps))
    rates = fn.plan.plan.machine_rates(2)
    nodes = sum(rates.node_seconds(step.node) for step in plan.steps)
    assert team.seconds == pytest.approx(nodes + STARTS_PER_STEP * 5e-6)
    one = sum(rates.single_thread_seconds(step.node) for step in plan.steps)
    assert replace(plan, threads=2).seconds == pytest.approx(one + STARTS_PER_STEP * 5e-6)


def test_state_changes_come_after_the_split(plan):
    calls, split = plan.calls()
    assert [call.kernel for call in calls[split:]] == ["batch_norm_update", "sgd"]
    assert len(calls) == sum(len(step.calls) for step in plan.steps)
