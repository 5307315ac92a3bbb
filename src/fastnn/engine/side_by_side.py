"""Run a plan beside others, in a lane of its own; see docs/decisions/inference_threads.md."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from fastnn._kernels.turns import runs
from fastnn.engine.compiled import Compiled
from fastnn.engine.lane import Lane
from fastnn.engine.lane_turns import AllInUseError, take
from fastnn.engine.memory_limit import may_take
from fastnn.plan.budget import NODE, Allowance
from fastnn.runtime.cores import available_cores
from fastnn.runtime.locks import beside
from fastnn.runtime.shared import Spare, free_arena, spares, whole_pages

ALONE = 1000  # calls in a row that found nobody else running, until spare arenas are freed
_alone = 0


@cache
def most_at_once() -> int:
    """How many runs go side by side at most."""
    return available_cores()


def run_beside(
    compiled: Compiled, values: tuple[Any, ...], allowance: Allowance | None
) -> list[np.ndarray] | None:
    """The outputs of a plan of one thread for these arrays, computed beside other runs.

    The caller has `process_lock` by `with beside`; it is released meanwhile and stays so. None: the
    values do not match, or this plan has to run alone; the caller still has the lock. Raises
    AllInUseError.
    """
    if not compiled.may_run_beside:
        return None
    lane = _idle_lane(compiled)
    if lane is None or (allowance is not None and not _fits(compiled, lane, allowance)):
        return None
    if compiled.kept is not None and compiled.kept.are_stale:
        beside.be_alone()
        compiled.kept.refresh()
    if compiled.watch.noted:
        compiled.watch.used()
    return lane.run(values, touched=allowance is not None)


def _idle_lane(compiled: Compiled) -> Lane | None:
    """A lane whose arena nobody uses. None: its plan's arena is in use inside a user's `Function`.

    Raises AllInUseError.
    """
    global _alone
    first = compiled.lane
    if runs.count:
        _alone = 0
        if take(first):
            return first
        idle = [spare for spare in spares if not spare.arena.busy]
        lanes = [spare.users.get(compiled) for spare in idle]
        for lane in lanes:
            if lane is not None and take(lane):
                return lane  # type: ignore[no-any-return]
        new = next((spare for spare, lane in zip(idle, lanes, strict=True) if lane is None), None)
        if new is None and len(spares) + 1 >= most_at_once():
            raise AllInUseError
        beside.be_alone()
        _add_lane(compiled, new or Spare())
    elif spares:
        _alone += 1
        if _alone >= ALONE:
            spares.clear()
    if first.arena is not free_arena():
        return None
    if take(first):
        return first
    raise AllInUseError


def _add_lane(compiled: Compiled, spare: Spare) -> None:
    """Make another lane for a plan, unless a limit or the system forbids it. The caller is alone.

    Its memory is made resident now, so that all who look at what the process holds count it.
    """
    size, nodes = compiled.executor.arena_bytes, len(compiled.plan.graph.nodes)
    growth = max(whole_pages(size) - spare.arena.resident_bytes, 0)
    if not may_take(growth + NODE * nodes + compiled.plan.beside):
        return
    with suppress(MemoryError):
        spare.users[compiled] = compiled.new_lane(spare.arena)
        spare.arena.touch()
        if spare not in spares:
            spares.append(spare)


def _fits(compiled: Compiled, lane: Lane, allowance: Allowance) -> bool:
    """Whether a run stays within an allowance, whatever others do that were let begin.

    So it may not make more of its arena resident: the others' checks would not see it coming.
    """
    arena = lane.arena
    return (arena.bytes_after(lane.executor) == arena.resident_bytes
            and compiled.fits(allowance, lane.result_bytes))
