"""Budgets: how people write them, and what happens when they are too small."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan import budget, watch
from fastnn.plan.budget import Allowance, format_bytes, parse_bytes, resolve
from fastnn.plan.build import build
from fastnn.plan.fusion.fuse import fuse
from fastnn.runtime.arena import aligned_bytes
from fastnn.runtime.process_memory import (
    available_bytes,
    cgroup_bytes,
    peak_bytes,
    resident_bytes,
)
from tests.fresh import in_a_fresh_process
from tests.nets import make


@pytest.mark.parametrize(("text", "expected"), [
    (512, 512), ("512", 512), ("512B", 512), ("2KB", 2000), ("2KiB", 2048), ("1.5 MiB", 1572864),
    (" 3gb ", 3 * 10**9), ("1TiB", 2**40), (np.int64(7), 7),
])
def test_parse(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "-1", "12 parsecs", "1e9", "0", "nan", 0, -5])
def test_parse_nonsense(text):
    with pytest.raises(ValueError, match="memory budget"):
        parse_bytes(text)


@pytest.mark.parametrize("value", [None, 1.5, True, [1]])
def test_parse_other_types(value):
    with pytest.raises(TypeError, match="memory budget"):
        parse_bytes(value)


def test_format():
    assert [format_bytes(n) for n in (0, 1023, 1024, 3 * 2**30)] == [
        "0 B", "1023 B", "1.0 KiB", "3.0 GiB"]


@in_a_fresh_process
def test_resident_bytes_grow_with_memory():
    before = resident_bytes()
    block = aligned_bytes(32 << 20)  # fresh pages: malloc might hand out memory held already
    block[:] = 1
    assert resident_bytes() - before > 0.8 * block.nbytes


@in_a_fresh_process
def test_a_plan_counts_the_state_of_the_optimizer():
    """It must be touched before the plan, which counts what the process holds."""
    parameter = fn.nn.Parameter(aligned_bytes(32 << 20).view(np.float32))
    before = resident_bytes()
    optimizer = fn.optim.SGD([parameter], lr=0.1, momentum=0.9)
    assert optimizer.state and resident_bytes() - before > 0.8 * parameter.memory.nbytes


class _Twice(fn.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        return dy * 2


class _WithFunction(fn.nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.narrow = fn.nn.Linear(8, 512), fn.nn.Linear(512, 4)

    def forward(self, x):
        return self.narrow(_Twice.apply(self.wide(x)))


@in_a_fresh_process
def test_a_plan_counts_the_copies_that_a_function_gets():
    """Arrays of 16 MiB: forward copies one and returns one, backward copies three."""
    model, x = _WithFunction(), np.ones((8192, 8), np.float32)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    step.memory_budget = limit = step.plan(x.shape).min_bytes
    for _ in range(3):
        step(x, np.arange(8192) % 4)
    assert peak_bytes() <= limit


def _step(limit):
    model = make("residual")
    return model, fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                               fn.optim.SGD(model.parameters(), lr=0.1), memory_budget=limit)


def _batch(count=2048):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, 2, 8, 8)).astype(np.float32), rng.integers(0, 4, count)


@in_a_fresh_process
def test_an_impossible_budget_names_one_that_works():
    x, y = _batch(6144)  # so that recomputation gives more than the margins at every level
    model, step = _step("1MiB")
    before = {name: value.copy() for name, value in model.state_dict().items()}
    with pytest.raises(fn.MemoryBudgetError, match="too small") as refused:
        step(x, y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(before[name], value)
    smallest = refused.value.min_bytes
    assert isinstance(refused.value, MemoryError)
    assert str(smallest) in str(refused.value)
    model, step = _step(smallest)
    loss = step(x, y)
    plan = step.plan(x.shape)
    assert plan.recomputed
    assert plan.peak_bytes <= smallest
    free_model, free = _step(None)
    assert free(x, y) == loss
    for name, value in free_model.state_dict().items():
        assert value.tobytes() == model.state_dict()[name].tobytes(), name
    assert free.plan(x.shape).min_bytes < free.plan(x.shape).peak_bytes


def test_printing_a_plan():
    _, step = _step(None)
    text = str(step.plan((4, 2, 8, 8)))
    assert "<- peak" in text and "block.conv1" in text and "recomputed: 0" in text


def test_auto_is_what_is_left_less_a_margin():
    assert 0.5 * available_bytes() < resolve("auto") < available_bytes()
    assert resolve(" Auto ") > resident_bytes()


def test_limits_of_cgroups(tmp_path):
    """The smallest of the group's own limit and those around it; "max" is none."""
    process, mount = tmp_path / "self", tmp_path / "cgroup"
    (mount / "jobs" / "one").mkdir(parents=True)
    process.mkdir()
    (process / "cgroup").write_text("0::/jobs/one\n")
    (process / "mountinfo").write_text(f"30 20 0:26 / {mount} rw - cgroup2 cgroup rw\n")
    assert cgroup_bytes(process) == float("inf")
    (mount / "jobs" / "one" / "memory.max").write_text("max\n")
    (mount / "jobs" / "memory.max").write_text("1000000\n")
    assert cgroup_bytes(process) == available_bytes(process) == 1_000_000
    (mount / "jobs" / "one" / "memory.max").write_text("400000\n")
    assert cgroup_bytes(process) == 400_000


def test_a_budget_above_the_machines_memory_is_said():
    with pytest.warns(UserWarning, match="more than this machine has"):
        assert resolve("900TiB") == 900 << 40


def test_a_budget_above_the_cgroups_limit_is_said_and_not_used(monkeypatch):
    monkeypatch.setattr(budget, "cgroup_bytes", lambda: 100 << 20)
    with pytest.warns(UserWarning, match=r"200\.0 MiB is more than .* 100\.0 MiB: 95\.0 MiB"):
        assert resolve("200MiB") == 95 << 20
    assert resolve("100MiB") == 100 << 20


@pytest.mark.parametrize("value", ["nonsense", 0, -1, "0 MiB"])
def test_nonsense_is_refused_before_the_first_step(value):
    with pytest.raises(ValueError, match="memory budget"):
        _step(value)


@pytest.mark.parametrize(("value", "error"), [("nonsense", ValueError), (0, ValueError),
                                              (1.5, TypeError)])
def test_nonsense_between_steps_leaves_the_budget_as_it_was(value, error):
    _, step = _step("1GiB")
    with pytest.raises(error, match="memory budget"):
        step.memory_budget = value
    assert step.memory_budget == "1GiB" and np.isfinite(step(*_batch(6)))


def _state(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


@in_a_fresh_process
def test_a_budget_may_change_between_steps():
    """More, less, none: the same bits, and memory is given back."""
    batches = [_batch(16384)] * 4  # recomputation gives more than the margins
    model, step = _step(None)
    losses = [step(*batch) for batch in batches]
    needed = step.plan(batches[0][0].shape)
    fn.manual_seed(0)
    other, elastic = _step(None)
    found = [elastic(*batches[0])]
    before = resident_bytes()
    elastic.memory_budget = elastic.plan(batches[0][0].shape).min_bytes
    found.append(elastic(*batches[1]))
    assert elastic.plan(batches[0][0].shape).recomputed
    assert resident_bytes() < before
    elastic.memory_budget = "auto"
    found.append(elastic(*batches[2]))
    assert elastic.plan(batches[0][0].shape).layout.arena_bytes == needed.layout.arena_bytes
    with pytest.raises(fn.MemoryBudgetError):
        elastic.memory_budget = "2MiB"
        elastic(*batches[3])
    elastic.memory_budget = None
    found.append(elastic(*batches[3]))
    assert found == losses and _state(model) == _state(other)


@in_a_fresh_process
def test_memory_that_others_take_leads_to_another_plan_or_an_error():
    watch.SECONDS = 0.0
    x, y = _batch(16384)
    _, step = _step(None)
    step(x, y)
    least, whole = step.plan(x.shape).min_bytes, step.plan(x.shape).peak_bytes
    step.memory_budget = resident_bytes() + x.nbytes + (8 << 20)
    step(x, y)
    assert not step.plan(x.shape).recomputed
    other = aligned_bytes((whole - least) // 2 + x.nbytes + (8 << 20))
    other[:] = 1
    step(x, y)
    assert step.plan(x.shape).recomputed
    more = aligned_bytes(whole)
    more[:] = 1
    with pytest.raises(fn.MemoryBudgetError, match="too small"):
        step(x, y)


def test_evaluation_keeps_to_the_budget():
    model = make("residual")
    x, y = _batch()
    optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    trainer = fn.Trainer(model, fn.nn.CrossEntropyLoss(), optimizer, memory_budget="1GiB")
    free = trainer.evaluate((x, y), batch_size=512)
    trainer.train_step.memory_budget = "20MiB"
    with pytest.raises(fn.MemoryBudgetError):
        trainer.evaluate((x, y), batch_size=512)
    trainer.train_step.memory_budget = None
    assert trainer.evaluate((x, y), batch_size=512) == free


def _deep_step(limit):
    """A net of thousands of steps, whose objects take as much as its values, and a batch."""
    model = fn.models.create("resnet260")
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((64, 3, 32, 32), np.float32), rng.integers(0, 10, 64)
    optimizer = fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer, limit), batch


def _trains_within(step, batch, limit):
    step.memory_budget = limit
    for _ in range(2):
        step(*batch)
    assert len(step.plan(batch[0].shape).steps) > 2000
    assert peak_bytes() <= limit


@in_a_fresh_process
def test_a_deep_net_holds_the_least_budget_of_a_refusal():
    step, batch = _deep_step("1MiB")
    try:
        step(*batch)
    except fn.MemoryBudgetError as error:  # not kept: its frames hold what planning made
        least = error.min_bytes
    _trains_within(step, batch, least)


@in_a_fresh_process
def test_a_deep_net_holds_the_least_budget_of_a_plan():
    step, batch = _deep_step("8GiB")
    _trains_within(step, batch, step.plan(batch[0].shape).min_bytes)


def test_what_an_allowance_leaves_for_other_plans():
    """The objects of each plan but this one; how much there will be is no other limit."""
    assert Allowance(100).objects(10) == 0
    assert Allowance(100, plans=3).objects(10) == 2 * 10 * (budget.PLANNED + budget.NODE)
    assert Allowance(100, 1, 2, 3) == Allowance(100) != Allowance(101)


@in_a_fresh_process
def test_a_plan_leaves_room_for_what_its_first_step_touches():
    """A limit that has room for the arena alone gets another plan."""
    model = fn.nn.Sequential(*(layer for _ in range(6)
                               for layer in (fn.nn.Linear(256, 256), fn.nn.Tanh())))
    step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    x = np.zeros((4096, 256), np.float32)
    step(x, x)
    graph = fuse(step._compiled.graph)
    whole = build(graph, 1)
    limit = resident_bytes() + whole.layout.arena_bytes + whole.beside + whole.running // 4
    plan = build(graph, 1, Allowance(limit))
    assert plan.recomputed_steps
    assert plan.baseline_bytes + plan.layout.arena_bytes + plan.beside + plan.running <= limit


def test_an_arena_that_a_plan_replaces_is_not_counted():
    model = fn.nn.Linear(4, 4)
    step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    x = np.zeros((2, 4), np.float32)
    step(x, x)
    replaced = 8 << 20
    before, plan = resident_bytes(), build(fuse(step._compiled.graph), 1, old_arena=replaced)
    assert abs(plan.baseline_bytes - (before - replaced)) < replaced // 2
