"""One arena that all plans of the process share, one at a time, as large as the largest needs.

A plan's results stay in the arena until another plan runs, so they must be read before. A plan that
runs while another one calls a user's Python function (which may call a model, or let other threads
do so) gets another arena. Runs side by side have further ones, the spare arenas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np

from fastnn.runtime.arena import HUGE_PAGE, aligned_bytes


def whole_pages(size: int) -> int:
    """Bytes that are resident at most once the first `size` of a large memory are touched."""
    return size if size < HUGE_PAGE else -(-size // HUGE_PAGE) * HUGE_PAGE


class Arena:
    """Memory that is lent to one user at a time. It tells all users when it moves.

    The arena itself is the context manager of a loan: a generator would cost a small step a fifth
    of its time. The memory lives as long as any user, and shrinks when a user joins after the
    largest one has gone.
    """

    def __init__(self) -> None:
        self.busy = False
        self.touched = 0  # bytes that have been used, and so are resident
        self._memory: Callable[[], np.ndarray | None] = lambda: None
        self._sizes: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self.owner: Callable[[], Any] = lambda: None

    @property
    def resident_bytes(self) -> int:
        """Bytes of the arena that are resident now."""
        return 0 if self._memory() is None else self.touched

    @property
    def largest(self) -> int:
        """Bytes that the largest user needs."""
        return max(self._sizes.values(), default=0)

    @property
    def untouched_bytes(self) -> int:
        """Bytes that will become resident when the largest user runs."""
        return self.largest - self.resident_bytes

    def join(self, user: Any, size: int) -> None:
        """Add a user, with a method `move(memory)`, that needs so many bytes."""
        self._sizes[user] = size
        largest = max(self._sizes.values())
        memory = self._memory()
        if memory is not None and memory.nbytes == largest:
            user.move(memory)
            return
        memory = aligned_bytes(largest)
        for each in list(self._sizes):
            each.move(memory)
        self._memory, self.touched = ref(memory), 0
        self.owner = lambda: None

    def touch(self) -> None:
        """Make all of the memory resident now. Its contents are lost."""
        memory = self._memory()
        if memory is not None:
            memory[...] = 0
            self.touched = memory.nbytes

    def leave(self, user: Any) -> None:
        """Remove a user."""
        self._sizes.pop(user, None)

    def renew(self) -> None:
        """Free the memory; users continue in fresh memory."""
        if self._sizes:
            self._memory, self.touched = (lambda: None), 0
            user, size = next(iter(self._sizes.items()))
            self.join(user, size)

    def is_owner(self, user: Any) -> bool:
        """Whether this user was the last to use the memory."""
        return self.owner() is user

    def lend(self, user: Any) -> Arena:
        """A context in which the memory is this user's."""
        if self.owner() is not user:
            self.owner = ref(user)
            self.touched = self.bytes_after(user)
        return self

    def bytes_after(self, user: Any) -> int:
        """Bytes of the arena that will be resident once this user has run."""
        return max(self.resident_bytes,
                   min(whole_pages(self._sizes[user]), max(self._sizes.values())))

    def __enter__(self) -> None:
        self.busy = True

    def __exit__(self, *error: object) -> None:
        self.busy = False


_arenas: list[Arena] = []  # plans in each run inside plans in those before it


def free_arena() -> Arena:
    """The first arena in which no plan is running now; a new one if there is none."""
    for arena in _arenas:
        if not arena.busy:
            return arena
    _arenas.append(Arena())
    return _arenas[-1]


class Spare:
    """An arena for runs beside those in other arenas, and what runs there, by what that is of."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.users: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


class Keeper(Protocol):
    """A plan that keeps values between runs."""

    def free_kept(self) -> None:
        """Free them, unless the plan runs now; then it cannot run any more."""


spares: list[Spare] = []
keepers: WeakSet[Keeper] = WeakSet()


def free_memory(keep_values: bool = False, but: object = None) -> None:
    """Free the memory of the free arena, the spare ones, and unless keep_values what plans keep.

    but: a plan that keeps what it has. The caller holds `process_lock`.
    """
    spares.clear()
    for keeper in list(keepers):
        if not keep_values and keeper is not but:
            keeper.free_kept()
    free_arena().renew()
