"""Budgets: how people write them, and what happens when they are too small."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan.budget import format_bytes, parse_bytes, resident_bytes
from fastnn.runtime.arena import aligned_bytes
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


def test_resident_bytes_grow_with_memory():
    before = resident_bytes()
    block = aligned_bytes(32 << 20)  # fresh pages: malloc might hand out memory held already
    block[:] = 1
    assert resident_bytes() - before > 0.8 * block.nbytes


def test_a_plan_counts_the_state_of_the_optimizer():
    """It must be touched before the plan, which counts what the process holds."""
    parameter = fn.nn.Parameter(aligned_bytes(32 << 20).view(np.float32))
    before = resident_bytes()
    optimizer = fn.optim.SGD([parameter], lr=0.1, momentum=0.9)
    assert optimizer.state and resident_bytes() - before > 0.8 * parameter.memory.nbytes


def _step(budget):
    model = make("residual")
    return model, fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                               fn.optim.SGD(model.parameters(), lr=0.1), memory_budget=budget)


def _batch(count=2048):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, 2, 8, 8)).astype(np.float32), rng.integers(0, 4, count)


def test_an_impossible_budget_names_one_that_works():
    x, y = _batch()
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
