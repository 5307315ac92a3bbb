"""What a block may keep for its backward pass: everything, nothing, or what is dear to make again.

Values are ordered by the seconds that a byte of them costs to make again, and each option forgets
those below some place in that order: batch norm, ReLU, sums and pooling first, convolutions last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastnn.plan.recompute.blocks import Block
from fastnn.plan.recompute.problem import Problem, Schedule, Task

MOST_OPTIONS = 6


@dataclass(frozen=True)
class Option:
    """Values kept by a block, and its backward tasks with the forward ones that run again.

    seconds: of the tasks that run again. inner_bytes: of values kept that no later block reads.
    forward_peak, backward_peak: bytes of the block's own at most, above what crosses into it (and,
    backward, above the gradients that arrive).
    """

    kept: frozenset[int]
    backward: tuple[int, ...]
    seconds: float
    inner_bytes: int
    forward_peak: int
    backward_peak: int


def options(problem: Problem, block: Block, most: int = MOST_OPTIONS) -> list[Option]:
    """The options of a block, about `most`, the one that keeps most first."""
    inside = _made_inside(problem, block)
    return [_option(problem, block, inside, kept)
            for kept in _choices(problem, block, inside, most)]


def thresholds(problem: Problem, most: int) -> list[Schedule]:
    """At most about so many schedules of the whole net as one block: what is cheap is forgotten.

    Unlike a chain's they may make again what crosses from block to block: the sums that end
    residual blocks, one from another.
    """
    whole = Block(0, problem.forward, tuple(range(problem.forward, len(problem.tasks))))
    inside = _made_inside(problem, whole)
    forward = tuple(range(problem.forward))
    return [forward + _with_replays(problem, whole, inside, set(kept))[0]
            for kept in _choices(problem, whole, inside, most)]


def _made_inside(problem: Problem, block: Block) -> set[int]:
    return {value for number in range(block.first, block.end)
            for value in problem.tasks[number].outputs if problem.renewable[value]}


def _choices(
    problem: Problem, block: Block, inside: set[int], most: int
) -> Iterator[frozenset[int]]:
    """What a block may keep of what its backward pass reads, the most first."""
    read = {v for number in block.backward for v in problem.tasks[number].inputs} & inside
    read -= problem.dropped
    dearness = {value: problem.tasks[problem.producer[value]].second.seconds / problem.sizes[value]
                for value in read}
    levels = sorted(set(dearness.values()))
    step = max(1, -(-len(levels) // (most - 1)))
    for bound in dict.fromkeys([-1.0, *levels[step - 1::step], *levels[-1:]]):
        yield frozenset(value for value in read if dearness[value] > bound)


def _option(problem: Problem, block: Block, inside: set[int], kept: frozenset[int]) -> Option:
    backward, again = _with_replays(problem, block, inside, set(kept))
    forward = problem.tasks[block.first:block.end]
    later = {value for value in inside if problem.last_forward[value] >= block.end}
    return Option(kept, backward, sum(problem.tasks[number].second.seconds for number in again),
                  sum(problem.reserved[value] for value in kept - later),
                  peak_inside(problem, forward, kept | later),
                  peak_inside(problem, [problem.tasks[number].second for number in backward],
                              frozenset())
                  + sum(problem.reserved[value] for value in kept))


def _with_replays(
    problem: Problem, block: Block, inside: set[int], held: set[int]
) -> tuple[tuple[int, ...], list[int]]:
    """The block's backward tasks, each after those that make what it reads and is not held."""
    order: list[int] = []
    again: list[int] = []
    for number in block.backward:
        chain: set[int] = set()
        pending = [v for v in problem.tasks[number].inputs if v in inside and v not in held]
        while pending:
            maker = problem.producer[pending.pop()]
            if maker not in chain:
                chain.add(maker)
                pending.extend(v for v in problem.tasks[maker].inputs
                               if v in inside and v not in held)
        order.extend((*sorted(chain), number))
        again.extend(chain)
        held.update(v for maker in chain for v in problem.tasks[maker].second.outputs)
    return tuple(order), again


def peak_inside(problem: Problem, run: Sequence[Task], kept: frozenset[int]) -> int:
    """Bytes at most of what a run of tasks makes, where `kept` and what it never reads stay."""
    last: dict[int, int] = {}
    for position, task in enumerate(run):
        for value in task.inputs:
            last[value] = position
    live = top = 0
    made: set[int] = set()
    for position, task in enumerate(run):
        gone = {v for v in task.inputs
                if v in made and last[v] == position and v not in kept}
        new = 0 if task.view is not None else sum(
            problem.reserved[value] for value in task.outputs)
        taken = next((problem.reserved[v] for v in task.over if v in gone
                      and problem.sizes[v] == problem.sizes[task.outputs[0]]), 0)
        top = max(top, live + new - taken + task.workspace)
        live += new - sum(problem.reserved[v] for v in gone)
        made.update(task.outputs)
        made -= gone
    return top
