"""One arena for all plans of the process, one at a time: as large as the largest of them needs.

What a plan leaves in the arena lasts until another one runs, so a plan's results are read before.
Only a plan that runs while another one calls a Python function of the user's (which may call a
model, or let other threads do so) has another arena.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn.runtime.arena import HUGE_PAGE, aligned_bytes


def whole_pages(size: int) -> int:
    """What is resident once the first `size` bytes of a large memory are touched, at most."""
    return size if size < HUGE_PAGE else -(-size // HUGE_PAGE) * HUGE_PAGE


class Arena:
    """Memory that is lent to one of its users at a time. All are told where it is when it moves.

    It is lent for a `with` statement of the arena itself: a generator would cost a small step a
    fifth of its time. The memory lives as long as a user does, and shrinks when the largest of them
    is gone and another joins.
    """

    def __init__(self) -> None:
        self.busy = False
        self.touched = 0  # bytes of the memory that have been used: those are resident
        self._memory: Callable[[], np.ndarray | None] = lambda: None
        self._sizes: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._owner: Callable[[], Any] = lambda: None

    @property
    def resident_bytes(self) -> int:
        """What it takes of the process's memory now."""
        return 0 if self._memory() is None else self.touched

    @property
    def untouched_bytes(self) -> int:
        """What it will take beyond that once its largest user has run."""
        return max(self._sizes.values(), default=0) - self.resident_bytes

    def join(self, user: Any, size: int) -> None:
        """Let `user`, which has a method `move(memory)`, be one that needs so many bytes."""
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
        self._owner = lambda: None

    def leave(self, user: Any) -> None:
        """Forget a user."""
        self._sizes.pop(user, None)

    def renew(self) -> None:
        """Give back what is resident; users go on in fresh memory."""
        if self._sizes:
            self._memory, self.touched = (lambda: None), 0
            user, size = next(iter(self._sizes.items()))
            self.join(user, size)

    def is_owner(self, user: Any) -> bool:
        """Whether the memory is as this user left it."""
        return self._owner() is user

    def lend(self, user: Any) -> Arena:
        """A context in which the memory is this user's."""
        if self._owner() is not user:
            self._owner = ref(user)
            self.touched = self.bytes_after(user)
        return self

    def bytes_after(self, user: Any) -> int:
        """What it takes of the process's memory once this user has run."""
        return max(self.resident_bytes,
                   min(whole_pages(self._sizes[user]), max(self._sizes.values())))

    def __enter__(self) -> None:
        self.busy = True

    def __exit__(self, *error: object) -> None:
        self.busy = False


_arenas: list[Arena] = []  # each runs inside of those before it


def free_arena() -> Arena:
    """The first arena in which no plan is running now; a new one if there is none."""
    for arena in _arenas:
        if not arena.busy:
            return arena
    _arenas.append(Arena())
    return _arenas[-1]
