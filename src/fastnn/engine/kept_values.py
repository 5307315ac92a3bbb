"""Values that a plan keeps between calls, and whether they still hold."""

from __future__ import annotations

from collections.abc import Callable

from fastnn._kernels.held import any_held
from fastnn.nn.parameter import writes
from fastnn.plan.kept import Split


class KeptValues:
    """The values of a split graph. They are computed when they are first needed, and again once a
    parameter may have changed.

    It may have if `fastnn` wrote to any, or handed out the array of any, since then; or if somebody
    still has such an array of one of these, and so may write to it at any time.
    """

    def __init__(self, split: Split, compute: Callable[[], object]) -> None:
        self._kept, self._compute = split.kept, compute
        self._memories = [source.memory for source in split.sources]
        self._seen = -1

    @property
    def are_stale(self) -> bool:
        """Whether they have to be computed before the next run."""
        return self._seen != writes() or any_held(self._memories)

    def refresh(self) -> None:
        """Compute them, if need be. The caller is alone."""
        if self.are_stale:
            # An array held now may be written to, and be gone at the next call.
            self._seen = -1 if any_held(self._memories) else writes()
            self._compute()

    def free(self) -> None:
        """Free their memory, which no program may have any more."""
        for kept in self._kept:
            kept.free()
