"""The exact bytes that a schedule has in use at each of its steps.

It follows the rules of `memory.layout`: a view shares its source's memory, an operation may write
over an input that nobody reads later, large buffers take the slack that staggers them. Offsets are
not chosen here; what packing adds shows when the plan is laid out.
"""

from __future__ import annotations

import numpy as np

from fastnn.plan.lives import Lives
from fastnn.plan.problem import Problem, Schedule
from fastnn.plan.tables import Ints


def usage(problem: Problem, schedule: Schedule) -> Ints:
    """Bytes in use while each step of the schedule runs."""
    return usage_of(Lives(problem, schedule))


def peak(problem: Problem, schedule: Schedule) -> int:
    """The largest number of bytes in use at once."""
    return int(usage(problem, schedule).max(initial=0))


def usage_of(lives: Lives) -> Ints:
    """Bytes in use at each step, from the lives of values."""
    tables, base = lives.tables, lives.base
    own = base == np.arange(base.size)
    end = lives.made.copy()
    real = base[lives.read] >= 0
    np.maximum.at(end, base[lives.read[real]], lives.read_at[real])
    _prolong_results(lives, end)
    until = end.copy()
    # Memory that is written over goes to the new value at that step: the old one ends before it.
    until[_taken(lives, end)] -= 1
    reserved = tables.reserved[lives.value] * own
    change = np.bincount(lives.made, reserved, lives.steps + 2)
    change -= np.bincount(until + 1, reserved, lives.steps + 2)
    used: Ints = np.cumsum(change)[:lives.steps].astype(np.int64)
    return used + tables.workspace[lives.rows]


def _prolong_results(lives: Lives, end: Ints) -> None:
    """Results, and views that look at the same memory, stay to the end."""
    kept = np.flatnonzero(lives.tables.results[lives.value] & lives.first_runs[lives.made])
    base = lives.base[kept]
    end[base[base >= 0]] = lives.steps


def _taken(lives: Lives, end: Ints) -> Ints:
    """Instances whose memory the step that reads them last writes over."""
    tables = lives.tables
    step, _, values = tables.over.gather(lives.rows)
    if not step.size:
        return step
    candidate = lives.base[lives.find(values, step)]
    first_output = tables.outputs.items[tables.outputs.starts[lives.rows[step]]]
    fits = ((candidate >= 0) & (end[candidate] <= step)
            & (tables.sizes[lives.value[candidate]] == tables.sizes[first_output]))
    # Read twice by the step, it cannot be written over while it is still read.
    width = lives.value.size + 1
    readings = np.sort(lives.read_at * width + lives.base[lives.read])
    key = step * width + candidate
    fits &= (np.searchsorted(readings, key, "right") - np.searchsorted(readings, key)) == 1
    step, candidate = step[fits], candidate[fits]
    result: Ints = candidate[np.unique(step, return_index=True)[1]]
    return result
