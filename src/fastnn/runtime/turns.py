"""One plan at a time: Python threads take turns with everything that plans share.

A plan's program, its inputs, the arena and the random key are memory that a run writes. Whoever
plans, runs or reads results has the process's turn meanwhile; kernels use all cores in it. A run
gives its turn away while it calls Python code of the user's (`Function`), which may call models
itself, or wait for a thread that does.

A fork waits until it has the turn, so that a child begins with nothing half done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

turn = threading.RLock()
_left = threading.Condition(turn)  # somebody left an `Alone`
_waiting = 0  # threads that wait for that
_generation = 0  # how many forks lie between this process and the one that imported us


@contextmanager
def turn_of_others() -> Iterator[None]:
    """Inside, other threads may have their turn; for a thread that has it."""
    held = turn._release_save()  # type: ignore[attr-defined]  # as threading.Condition does
    try:
        yield
    finally:
        turn._acquire_restore(held)  # type: ignore[attr-defined]


class Alone:
    """A context that one thread at a time is inside, for longer than a turn; others wait.

    what: for the RuntimeError that a thread gets which enters again from inside. Whoever has a turn
    and gives it away nowhere is alone as long as `inside` is None: that takes no time.

    >>> step = Alone("this step")
    >>> with step:
    ...     with step:
    ...         pass
    Traceback (most recent call last):
        ...
    RuntimeError: this step was called from inside itself
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.inside: int | None = None  # a thread
        self._generation = 0  # of the process that it belongs to

    def __enter__(self) -> None:
        me = threading.get_ident()
        with turn:
            if self.inside is not None:
                self._wait(me)
            self.inside, self._generation = me, _generation

    def __exit__(self, *error: object) -> None:
        with turn:
            self.inside = None
            if _waiting:  # as a rule nobody does, and to ask takes longer than all the rest
                _left.notify_all()

    def _wait(self, me: int) -> None:
        """Until no other thread is inside; one of the parent's never leaves a forked child."""
        global _waiting
        while self.inside is not None and self._generation == _generation:
            if self.inside == me:
                raise RuntimeError(f"{self._what} was called from inside itself")
            _waiting += 1
            try:
                _left.wait()
            finally:
                _waiting -= 1


def _after_in_child() -> None:
    global _generation, _waiting
    _generation, _waiting = _generation + 1, 0
    turn.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=turn.acquire, after_in_parent=turn.release,
                        after_in_child=_after_in_child)
