"""A batch in parts: how it is cut, and the fewest parts whose plans fit a memory budget."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

from fastnn.engine.compiled import Compiled
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache
from fastnn.graph import ShapeError, Spec
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.plan.search import bracket
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.shared import free_arena


def sizes(examples: int, parts: int) -> list[int]:
    """Examples in each part, as equal as can be, the larger ones first.

    >>> sizes(10, 4)
    [3, 3, 2, 2]
    """
    least, more = divmod(examples, parts)
    return [least + 1] * more + [least] * (parts - more)


def pieces(values: Any, parts: int) -> list[Any]:
    """The parts of arrays, in the tuples that those come in."""
    ends = accumulate(sizes(examples_in(values), parts), initial=0)
    return [like(values, [array[a:b] for array in flat(values)]) for a, b in pairwise(ends)]


def resized(specs: Any, examples: int) -> Any:
    """Specs of a batch with another number of examples."""
    return like(specs, [Spec((examples, *spec.shape[1:]), spec.dtype) for spec in flat(specs)])


def examples_in(values: Any) -> int:
    """The examples of arrays or specs, all of which begin with the axis of the batch."""
    counts = {value.shape[0] if value.shape else 0 for value in flat(values)}
    if len(counts) > 1 or 0 in counts:
        raise ShapeError("a batch in parts needs inputs and targets with the examples as first "
                         f"axis, got shapes {[value.shape for value in flat(values)]}")
    return int(counts.pop())


class Parts:
    """Plans for the parts of batches.

    make: from specs of the batch, specs of a part, and what the process may hold. modes: what plans
    depend on beside shapes.
    """

    def __init__(
        self, make: Callable[[Any, Any, Allowance | None], Compiled],
        modes: Callable[[], tuple[bool, ...]],
    ) -> None:
        self._make, self._cache = make, PlanCache(modes)

    def get(self, specs: Any, examples: int, limit: Allowance | None) -> Compiled:
        """The plan for a part of so many examples; MemoryBudgetError if none fits."""
        part = resized(specs, examples)
        return self._cache.get((specs, part), lambda key: self._make(specs, part, limit), limit)

    def all(self, specs: Any, parts: int, limit: Allowance | None) -> list[Compiled]:
        """The plans for every size that parts have, the largest first."""
        return [self.get(specs, count, limit)
                for count in dict.fromkeys(sizes(examples_in(specs), parts))]

    def fit(self, specs: Any, parts: int, limit: Allowance | None) -> bool:
        """Whether every part fits."""
        try:
            self.all(specs, parts, limit)
        except MemoryBudgetError:
            return False
        return True

    def fewest(self, specs: Any, limit: Allowance | None) -> int:
        """The fewest parts that fit; one does not.

        Raises MemoryBudgetError if not even parts of one example do (of two, where a net needs
        them); its `min_bytes` is what those need.
        """
        most = examples_in(specs)
        try:
            self.all(specs, most, limit)
        except ShapeError:
            most //= 2
            self.all(specs, most, limit)
        parts = bracket(lambda parts: self.fit(specs, min(parts, most), limit), 1)[1]
        parts = min(parts, most)
        while not self._fit_still(specs, parts, limit) and parts < most:
            parts += 1
        return parts

    def _fit_still(self, specs: Any, parts: int, limit: Allowance | None) -> bool:
        """Whether parts fit when planned anew, now that the search has left something in memory."""
        self._cache.clear()
        gc.collect()  # graphs, whose nodes refer to each other
        if not self.fit(specs, parts, limit):
            return False
        plans = [compiled.plan for compiled in self.all(specs, parts, limit)]
        held = resident_bytes() - free_arena().resident_bytes
        return limit is None or all(
            held + plan.peak_bytes - plan.baseline_bytes <= limit.limit for plan in plans)
