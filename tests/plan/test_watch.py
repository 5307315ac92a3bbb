"""A budget is looked at when memory will be taken, else once a second; one byte breaks it."""

from types import SimpleNamespace

import pytest

from fastnn.plan import watch
from fastnn.plan.watch import BudgetWatch


@pytest.fixture
def machine(monkeypatch):
    """A clock, what the process holds, and what a budget of any name allows."""
    state = SimpleNamespace(now=100.0, held=500, allowed=1000, asked=[])

    def resolve(budget):
        state.asked.append(budget)
        return state.allowed

    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: state.now))
    monkeypatch.setattr(watch, "resident_bytes", lambda: state.held)
    monkeypatch.setattr(watch, "resolve", resolve)
    monkeypatch.setattr(watch, "SECONDS", 1.0)
    return state


def test_the_first_byte_too_many_breaks_a_budget(machine):
    found = BudgetWatch("auto")
    assert found.limit == 1000
    machine.allowed = 800
    for held, broken in ((800, False), (801, True), (800, False)):
        machine.held, machine.now = held, machine.now + 1.0
        assert found.is_broken(0) == broken
    assert found.limit == 800  # only where it is broken does what it may hold change


def test_a_limit_that_moves_does_not_count_while_the_plan_fits(machine):
    found = BudgetWatch("1000B")
    machine.allowed, machine.now = 600, 102.0
    assert not found.is_broken(0) and found.limit == 1000


def test_it_looks_once_a_second_while_the_arena_is_in_memory(machine):
    found = BudgetWatch("auto")
    machine.held = 2000
    machine.now = 100.9
    assert not found.is_broken(0) and machine.asked == ["auto"]
    machine.now = 101.0
    assert found.is_broken(0) and machine.asked == ["auto", "auto"]
    machine.now = 101.9
    assert not found.is_broken(0) and len(machine.asked) == 2


def test_no_budget_is_never_broken(machine):
    found = BudgetWatch(None)
    machine.now = 1000.0
    assert found.limit is None and not found.is_broken(0) and machine.asked == []


def test_what_the_next_step_touches_counts(machine):
    found = BudgetWatch("auto")
    for coming, broken in ((500, False), (501, True)):
        machine.now += 1.0
        assert found.is_broken(coming) == broken


def test_it_looks_at_once_before_a_step_takes_memory(machine):
    found = BudgetWatch("auto")
    machine.allowed = 600
    assert not found.is_broken(101)
    assert found.is_broken(101, at_once=True) and found.limit == 600
