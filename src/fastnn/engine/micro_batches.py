"""Split batches into micro-batches, and find the fewest whose plans fit a budget."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

from fastnn.engine.compiled import Compiled
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.plan.search import bracket
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.shared import free_arena
from fastnn.spec import ShapeError, Spec


def sizes(examples: int, count: int) -> list[int]:
    """Examples in each of `count` micro-batches, as equal as can be, the larger ones first.

    >>> sizes(10, 4)
    [3, 3, 2, 2]
    """
    least, more = divmod(examples, count)
    return [least + 1] * more + [least] * (count - more)


def split(values: Any, count: int) -> list[Any]:
    """The micro-batches of arrays, nested like the arrays."""
    ends = accumulate(sizes(examples_in(values), count), initial=0)
    return [like(values, [array[a:b] for array in flat(values)]) for a, b in pairwise(ends)]


def resized(specs: Any, examples: int) -> Any:
    """Specs of a batch with another number of examples."""
    return like(specs, [Spec((examples, *spec.shape[1:]), spec.dtype) for spec in flat(specs)])


def examples_in(values: Any) -> int:
    """The number of examples in arrays or specs: the first axis, which all must share."""
    counts = {value.shape[0] if value.shape else 0 for value in flat(values)}
    if len(counts) > 1 or 0 in counts:
        raise ShapeError("only a batch whose inputs and targets all have the examples as first "
                         "axis can be split into micro-batches, got shapes "
                         f"{[value.shape for value in flat(values)]}")
    return int(counts.pop())


class MicroBatchPlans:
    """Plans for the micro-batches of batches.

    make: makes a plan from specs of the batch, specs of a micro-batch, and an allowance. modes:
    what plans depend on besides shapes.
    """

    def __init__(
        self, make: Callable[[Any, Any, Allowance | None], Compiled],
        modes: Callable[[], tuple[bool, ...]],
    ) -> None:
        self._make, self._cache = make, PlanCache(modes)

    def get(self, specs: Any, examples: int, limit: Allowance | None) -> Compiled:
        """The plan for a micro-batch of so many examples; MemoryBudgetError if none fits."""
        smaller = resized(specs, examples)
        return self._cache.get(
            (specs, smaller), lambda key: self._make(specs, smaller, limit), limit)

    def all(self, specs: Any, count: int, limit: Allowance | None) -> list[Compiled]:
        """The plans for every size of `count` micro-batches, the largest first."""
        return [self.get(specs, examples, limit)
                for examples in dict.fromkeys(sizes(examples_in(specs), count))]

    def fit(self, specs: Any, count: int, limit: Allowance | None) -> bool:
        """Whether every one of `count` micro-batches fits."""
        try:
            self.all(specs, count, limit)
        except MemoryBudgetError:
            return False
        return True

    def fewest(self, specs: Any, limit: Allowance | None) -> int:
        """The smallest number of micro-batches that fit, if the whole batch does not.

        Raises MemoryBudgetError if not even micro-batches of one example fit (of two, for a net
        that needs them); its `min_bytes` is what those need.
        """
        most = examples_in(specs)
        try:
            self.all(specs, most, limit)
        except ShapeError:
            most //= 2
            self.all(specs, most, limit)
        count = bracket(lambda count: self.fit(specs, min(count, most), limit), 1)[1]
        count = min(count, most)
        while not self._still_fit(specs, count, limit) and count < most:
            count += 1
        return count

    def _still_fit(self, specs: Any, count: int, limit: Allowance | None) -> bool:
        """Whether they still fit if planned anew, beside what the search left in memory."""
        self._cache.clear()
        gc.collect()  # graphs, whose nodes refer to each other
        if not self.fit(specs, count, limit):
            return False
        plans = [compiled.plan for compiled in self.all(specs, count, limit)]
        held = resident_bytes() - free_arena().resident_bytes
        return limit is None or all(
            held + plan.peak_bytes - plan.baseline_bytes <= limit.limit for plan in plans)
