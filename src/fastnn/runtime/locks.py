"""One plan at a time: the lock for everything that plans share, and mutual exclusion of calls.

A run writes its program, its inputs, the arena and the random key. Whoever plans, runs or reads
results holds `process_lock`; kernels use all cores meanwhile. A run releases the lock while it
calls a user's `Function`, which may call models itself or wait for a thread that does.

Runs that share nothing that they write go on without the lock. `with process_lock` waits until they
have ended, so that its holder is alone (docs/decisions/inference_threads.md).

A fork waits for the lock, so that a child never starts in the middle of a run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastnn._kernels.turns import Beside, ProcessLock

process_lock = ProcessLock()
beside = Beside(process_lock)  # a context with the lock, but not alone
_left = threading.Condition(process_lock)  # a thread left an `Exclusive`
_waiting = 0  # threads that wait for `_left`
_generation = 0  # how many forks lie between this process and the one that imported us


@contextmanager
def lock_released() -> Iterator[None]:
    """Inside, other threads may take `process_lock`, which the caller holds."""
    held = process_lock._release_save()  # as threading.Condition does
    try:
        yield
    finally:
        process_lock._acquire_restore(held)


class Exclusive:
    """A context for one thread at a time, also while `process_lock` is released; others wait.

    what: names it in the RuntimeError for a thread that enters again from inside. `owner`: the
    thread that is inside, or None. A thread that never releases `process_lock` need not enter: it
    excludes all others if it finds no owner, which takes no time.

    >>> step = Exclusive("this step")
    >>> with step:
    ...     with step:
    ...         pass
    Traceback (most recent call last):
        ...
    RuntimeError: this step was called from inside itself
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.owner: int | None = None
        self._generation = 0  # of the owner's process

    def __enter__(self) -> None:
        me = threading.get_ident()
        with process_lock:
            if self.owner is not None:
                self._wait(me)
            self.owner, self._generation = me, _generation

    def __exit__(self, *error: object) -> None:
        with process_lock:
            self.owner = None
            if _waiting:  # rarely true; notifying would take longer than all the rest
                _left.notify_all()

    def _wait(self, me: int) -> None:
        """Wait until no other thread is inside; a forked child ignores the parent's threads."""
        global _waiting
        while self.owner is not None and self._generation == _generation:
            if self.owner == me:
                raise RuntimeError(f"{self._what} was called from inside itself")
            _waiting += 1
            try:
                _left.wait()
            finally:
                _waiting -= 1


def _after_in_child() -> None:
    global _generation, _waiting
    _generation, _waiting = _generation + 1, 0
    process_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=process_lock.acquire, after_in_parent=process_lock.release,
                        after_in_child=_after_in_child)
