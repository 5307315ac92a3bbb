"""Who gets a lane next, when more threads infer than there are lanes.

A thread that comes back at once goes on in the lane that it just used: handing a lane over leaves a
core idle until the other thread has woken up, often on a core that is busy. But after a few runs it
lets those go first that wait, as Go's mutexes do.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

from fastnn._kernels.turns import runs
from fastnn.engine.lane import Lane

IN_A_ROW = 8  # runs of a thread in one lane, while others wait
RETRY = 0.02  # seconds, in case that whoever was to wake us has not

_waiting: set[int] = set()  # threads that got no lane, until they have one


class AllInUseError(Exception):
    """Every lane is in use. Without `process_lock`, `wait`, and try again."""

    def __init__(self) -> None:
        super().__init__("every lane is in use")
        self._ended = allocate_lock()
        self._ended.acquire()
        _waiting.add(get_ident())
        runs.queue.append(self._ended.release)

    def wait(self) -> None:
        """Wait until a run has ended, for a while."""
        if not self._ended.acquire(timeout=RETRY) and self._ended.release in runs.queue:
            runs.queue.remove(self._ended.release)


def take(lane: Lane) -> bool:
    """Whether this thread may use a lane now, since nobody does and it has had no more than due."""
    if lane.arena.busy:
        return False
    if not _waiting:
        return True
    me = get_ident()
    if lane.user != me:
        lane.user, lane.in_a_row = me, 0
    elif lane.in_a_row >= IN_A_ROW and _waiting - {me}:
        lane.in_a_row = 0
        return False
    lane.in_a_row += 1
    _waiting.discard(me)
    return True


def give_up() -> None:
    """Wait no longer."""
    _waiting.discard(get_ident())


def _after_in_child() -> None:
    """Forget the parent's threads, for which ours would wait."""
    _waiting.clear()
    runs.queue.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
