"""Who gets a lane next, when more threads infer than there are lanes.

Threads get lanes in the order in which they came. But one that comes back at once goes on in the
lane that it just used, for a while: handing a lane over leaves a core idle until the other thread
has woken up, often on a core that is busy. Nobody is woken in vain meanwhile.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from time import perf_counter

from fastnn._kernels.turns import runs
from fastnn.engine.lane import Lane

SPELL = 0.05  # seconds that a thread which comes back at once may keep a lane from others
AT_ONCE = 2e-4  # seconds from the end of a run to the next call
FIRST, OTHERS = 0.005, 0.1  # seconds until a thread looks for itself, if nobody woke it


class AllInUseError(Exception):
    """Every lane is in use. Without `process_lock`, `wait`, and try again."""

    def __init__(self) -> None:
        super().__init__("every lane is in use")
        self._ended = allocate_lock()
        self._ended.acquire()
        self._place = (get_ident(), self._ended)
        if get_ident() in runs.called:  # it was its turn
            runs.called.discard(get_ident())
            runs.queue.insert(0, self._place)
        else:
            runs.queue.append(self._place)

    def wait(self) -> None:
        """Wait until it is this thread's turn, for a while."""
        first = runs.queue[:1] == [self._place]
        if not self._ended.acquire(timeout=FIRST if first else OTHERS) and (
                self._place in runs.queue):
            runs.queue.remove(self._place)
            runs.called.add(get_ident())


def take(lane: Lane) -> bool:
    """Whether this thread may use a lane now: nobody does, and it is its turn, until it runs."""
    if lane.arena.busy:
        return False
    me, now = get_ident(), perf_counter()
    at_once, spell_is_over = now - lane.ended < AT_ONCE, now - lane.since >= SPELL
    is_mine = lane.user == me
    if runs.queue or runs.called:  # others wait, or it does
        if is_mine and spell_is_over and runs.called != {me}:
            return False
        if not is_mine and (me not in runs.called or (at_once and lane.is_reserved)):
            return False
    if not is_mine:
        lane.user, lane.since = me, now
    lane.is_reserved = is_mine and at_once and not spell_is_over
    return True


def give_up() -> None:
    """Wait no longer; if it was this thread's turn, it is the next one's."""
    if get_ident() in runs.called:
        runs.called.discard(get_ident())
        runs.call_next()


def _after_in_child() -> None:
    """Forget the parent's threads, for which ours would wait."""
    runs.called.clear()
    runs.queue.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
