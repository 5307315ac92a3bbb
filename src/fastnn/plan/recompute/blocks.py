"""Cut the forward pass into blocks where few bytes cross from one to the next.

A boundary lies between two forward tasks. The values made before it and read after it cross it. If
only one does, its task is an articulation point (a dominator between batch and loss), as at the
end of a residual block. A U-Net's skips cross too, and are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fastnn.plan.recompute.problem import Problem


@dataclass(frozen=True)
class Block:
    """Forward tasks `first` to `end` - 1, and the backward tasks that belong to them."""

    first: int
    end: int
    backward: tuple[int, ...]


@dataclass(frozen=True)
class Uses:
    """The tasks that make and read a recomputable value; -1 where there is none."""

    value: int
    made: int
    last_forward: int
    first_backward: int
    last_backward: int


def uses(problem: Problem) -> list[Uses]:
    """The uses of every recomputable value."""
    forward = [-1] * len(problem.sizes)
    first, last = forward.copy(), forward.copy()
    for position, task in enumerate(problem.tasks):
        for value in task.inputs:
            if position < problem.forward:
                forward[value] = position
            else:
                first[value] = position if first[value] < 0 else first[value]
                last[value] = position
    return [Uses(value, maker, forward[value], first[value], last[value])
            for value, maker in enumerate(problem.producer) if problem.recomputable[value]]


def blocks(problem: Problem, most: int, growth: float = 1.0) -> list[Block]:
    """At most `most` blocks, cut where the fewest bytes cross.

    The boundaries lie about (i / most) ** growth of the forward time before the end. Memory is
    scarce where the backward pass begins and is freed from there on, so blocks may be larger
    towards the front, where fewer boundaries are held.
    """
    start, count = problem.forward, len(problem.tasks)
    crossing = [0] * (start + 1)
    done = [count] * (start + 1)  # the first backward task that reads what lies wholly before
    needed = [-1] * (start + 2)  # the last backward task that reads what lies wholly after
    for use in uses(problem):
        end = max(use.made, use.last_forward)
        crossing[use.made + 1] += problem.sizes[use.value]
        if end + 1 <= start:
            crossing[end + 1] -= problem.sizes[use.value]
        if use.first_backward >= 0:
            done[min(end + 1, start)] = min(done[min(end + 1, start)], use.first_backward)
            needed[use.made] = max(needed[use.made], use.last_backward)
    for i in range(1, start + 1):
        crossing[i] += crossing[i - 1]
        done[i] = min(done[i], done[i - 1])
    for i in range(start - 1, -1, -1):
        needed[i] = max(needed[i], needed[i + 1])
    valid = [i for i in range(1, start) if needed[i] < done[i]]
    narrow = [i for i in valid if crossing[i] <= crossing[i - 1]
              or crossing[i] <= crossing[i + 1]]
    chosen = _spread(problem, narrow, crossing, most, growth)
    ends = [0, *chosen, start]
    limits = [count, *(done[i] for i in chosen), start]  # of backward tasks, falling
    return [Block(first, end, tuple(range(limits[number + 1], limits[number])))
            for number, (first, end) in enumerate(pairwise(ends))]


def _spread(
    problem: Problem, places: list[int], crossing: list[int], most: int, growth: float
) -> list[int]:
    """The boundary that the fewest bytes cross in each of `most` - 1 intervals of time."""
    if len(places) < most:
        return places
    elapsed = [0.0]
    for task in problem.tasks[:problem.forward]:
        elapsed.append(elapsed[-1] + task.seconds)
    best: dict[int, int] = {}
    for place in places:
        left = 1 - elapsed[place] / max(elapsed[-1], 1e-30)
        interval = min(int((1 - left ** (1 / growth)) * (most - 1)), most - 2)
        if interval not in best or crossing[place] < crossing[best[interval]]:
            best[interval] = place
    return sorted(best.values())
