"""What a block may keep for its backward pass: all, nothing, or what is expensive to recompute.

Values are ordered by the seconds per byte of recomputing them. Each option evicts those below
some threshold: batch norm, ReLU, sums and pooling first, convolutions last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastnn.plan.recompute.blocks import Block
from fastnn.plan.recompute.problem import Problem, Schedule, Task

MOST_OPTIONS = 6


@dataclass(frozen=True)
class Option:
    """The values that a block keeps, and its backward tasks with the recomputations they need.

    seconds: of the recomputations. inner_bytes: of the kept values that no later block reads.
    forward_peak, backward_peak: the most bytes of the block's own, beside what crosses into it
    (and, in the backward pass, beside the gradients that arrive).
    """

    kept: frozenset[int]
    backward: tuple[int, ...]
    seconds: float
    inner_bytes: int
    forward_peak: int
    backward_peak: int


def options(problem: Problem, block: Block, most: int = MOST_OPTIONS) -> list[Option]:
    """About `most` options of a block, from the one that keeps most to the one that keeps least."""
    inside = _made_inside(problem, block)
    return [_option(problem, block, inside, kept)
            for kept in _choices(problem, block, inside, most)]


def thresholds(problem: Problem, most: int) -> list[Schedule]:
    """About `most` schedules of the whole net as one block: each evicts all below a threshold.

    Unlike a chain's, they may recompute what crosses from block to block, such as the sums that
    end residual blocks, one from another.
    """
    whole = Block(0, problem.forward, tuple(range(problem.forward, len(problem.tasks))))
    inside = _made_inside(problem, whole)
    forward = tuple(range(problem.forward))
    return [forward + _with_recomputations(problem, whole, inside, set(kept))[0]
            for kept in _choices(problem, whole, inside, most)]


def _made_inside(problem: Problem, block: Block) -> set[int]:
    return {value for number in range(block.first, block.end)
            for value in problem.tasks[number].outputs if problem.recomputable[value]}


def _choices(
    problem: Problem, block: Block, inside: set[int], most: int
) -> Iterator[frozenset[int]]:
    """Sets of values to keep, of those that the backward pass reads, the largest first."""
    read = {v for number in block.backward for v in problem.tasks[number].inputs} & inside
    read -= problem.dropped
    costs = {value: (problem.tasks[problem.producer[value]].recomputed.seconds
                     / problem.sizes[value]) for value in read}
    levels = sorted(set(costs.values()))
    step = max(1, -(-len(levels) // (most - 1)))
    for bound in dict.fromkeys([-1.0, *levels[step - 1::step], *levels[-1:]]):
        yield frozenset(value for value in read if costs[value] > bound)


def _option(problem: Problem, block: Block, inside: set[int], kept: frozenset[int]) -> Option:
    backward, recomputed = _with_recomputations(problem, block, inside, set(kept))
    forward = problem.tasks[block.first:block.end]
    later = {value for value in inside if problem.last_forward[value] >= block.end}
    return Option(kept, backward,
                  sum(problem.tasks[number].recomputed.seconds for number in recomputed),
                  sum(problem.reserved[value] for value in kept - later),
                  peak_inside(problem, forward, kept | later),
                  peak_inside(problem, [problem.tasks[number].recomputed for number in backward],
                              frozenset())
                  + sum(problem.reserved[value] for value in kept))


def _with_recomputations(
    problem: Problem, block: Block, inside: set[int], held: set[int]
) -> tuple[tuple[int, ...], list[int]]:
    """The block's backward tasks, each after the recomputations of what it reads; and those."""
    order: list[int] = []
    recomputed: list[int] = []
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
        recomputed.extend(chain)
        held.update(v for maker in chain for v in problem.tasks[maker].recomputed.outputs)
    return tuple(order), recomputed


def peak_inside(problem: Problem, run: Sequence[Task], kept: frozenset[int]) -> int:
    """The most bytes of what some tasks make, if `kept` and what they never read stay."""
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
