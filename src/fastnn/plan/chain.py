"""The best schedules of a chain of blocks for every byte limit, by dynamic programming.

Following Beaumont, Eyraud-Dubois, Herrmann, Joly and Shilova ("Optimal checkpointing for
heterogeneous chains", 2019): blocks s..t, whose input is held, are run forward and backward in
m bytes either by keeping of block s what an option says and going on with s+1..t, or by running
s..k-1 without keeping anything, doing k..t, and then s..k-1 again. Blocks here may hand on several
values (a U-Net's skips), and gradients of parameters fill memory as the backward pass goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.blocks import Block, uses
from fastnn.plan.options import Option, options
from fastnn.plan.problem import Problem, Schedule

SLOTS = 128  # the limits are multiples of the largest over this


@dataclass(frozen=True)
class Chain:
    """Blocks with their options; bytes in units of `unit`.

    crossing[s, k]: what crosses into block k and was made in block s or later. arriving[t]:
    gradients in memory before the backward pass of block t. again[k]: seconds to run block k again.
    """

    blocks: tuple[Block, ...]
    options: tuple[tuple[Option, ...], ...]
    crossing: np.ndarray
    arriving: np.ndarray
    again: np.ndarray


@dataclass(frozen=True)
class Table:
    """seconds[s, t, m] of the best schedule, and its choice: k > s, or option -choice - 1."""

    chain: Chain
    unit: int
    seconds: np.ndarray
    choice: np.ndarray

    def limits(self) -> list[int]:
        """The numbers of units at which the best schedule changes."""
        whole = self.seconds[0, -1]
        return [m for m in range(whole.size) if np.isfinite(whole[m])
                and (m == 0 or whole[m] < whole[m - 1])]


def make_chain(problem: Problem, parts: list[Block]) -> Chain:
    """The chain of some blocks."""
    count = len(parts)
    block_of = [number for number, part in enumerate(parts) for _ in range(part.first, part.end)]
    crossing = np.zeros((count, count + 1), np.int64)
    for use in uses(problem):
        if use.last_forward >= 0:
            made, read = block_of[use.made], block_of[use.last_forward]
            crossing[:made + 1, made + 1:read + 1] += problem.reserved[use.value]
    again = [sum(task.second.seconds for task in problem.tasks[part.first:part.end] if task.again)
             for part in parts]
    choices = tuple(tuple(options(problem, part)) for part in parts)
    return Chain(tuple(parts), choices, crossing, _arriving(problem, parts), np.array(again))


def _arriving(problem: Problem, parts: list[Block]) -> np.ndarray:
    step_of = {number: count - 1 for count, part in enumerate(reversed(parts), 1)
               for number in part.backward}  # blocks from the end
    change = np.zeros(len(parts) + 2, np.int64)
    last: dict[int, int] = {}
    for number, step in step_of.items():
        last.update((value, step) for value in problem.tasks[number].inputs)
    for number, step in step_of.items():
        task = problem.tasks[number]
        for value in task.outputs if task.view is None else ():
            until = len(parts) if value in problem.results else last.get(value, step)
            change[step + 1] += problem.reserved[value]
            change[max(until, step) + 1] -= problem.reserved[value]
    return np.cumsum(change)[:len(parts)][::-1].copy()


def solve(chain: Chain, top: int) -> Table:
    """The table for limits up to `top` bytes."""
    count, unit = len(chain.blocks), max(1, -(-top // SLOTS))
    seconds = np.full((count, count, SLOTS + 1), np.inf, np.float32)
    choice = np.zeros((count, count, SLOTS + 1), np.int16)
    limits = np.arange(SLOTS + 1)
    forward = np.array([max(o.forward_peak for o in each[-1:]) for each in chain.options])
    for last in range(count):
        for first in range(last, -1, -1):
            best, chosen = _keep_first(chain, unit, seconds, first, last)
            if first < last:
                inner = np.arange(first + 1, last + 1)
                held = (chain.crossing[first, inner] + unit // 2) // unit
                passed = chain.crossing[first, first:last] + forward[first:last]
                need = -(-(np.maximum.accumulate(passed) + chain.arriving[last]) // unit)
                left = limits - held[:, None]
                after = np.take_along_axis(seconds[inner, last], np.maximum(left, 0), 1)
                total = after + seconds[first, first:last] + np.cumsum(
                    chain.again[first:last])[:, None]
                total[(left < 0) | (limits < need[:, None])] = np.inf
                row = total.argmin(0)
                cut = total[row, limits]
                better = cut < best
                best[better], chosen[better] = cut[better], inner[row[better]]
            seconds[first, last], choice[first, last] = best, chosen
    return Table(chain, unit, seconds, choice)


def _keep_first(
    chain: Chain, unit: int, seconds: np.ndarray, first: int, last: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best option of the first block for every limit, and its seconds with all that follow."""
    best = np.full(SLOTS + 1, np.inf, np.float32)
    chosen = np.zeros(SLOTS + 1, np.int16)
    limits = np.arange(SLOTS + 1)
    for number, option in enumerate(chain.options[first]):
        peak = max(option.forward_peak + int(chain.arriving[last]),
                   option.backward_peak + int(chain.arriving[first]))
        total = np.full(SLOTS + 1, chain.again[first] + option.seconds, np.float32)
        if first < last:
            left = limits - held_units(chain, unit, first, option)
            total += seconds[first + 1, last][np.maximum(left, 0)]
            total[left < 0] = np.inf
        total[limits < -(-peak // unit)] = np.inf
        better = total < best
        best[better], chosen[better] = total[better], -number - 1
    return best, chosen


def held_units(chain: Chain, unit: int, first: int, option: Option) -> int:
    """What is held beside the input of a block while the blocks after it run."""
    return _units(option.inner_bytes + int(chain.crossing[first, first + 1]), unit)


def _units(size: int, unit: int) -> int:
    """Rounded to the nearest, so that the errors of many blocks cancel: schedules are measured
    exactly afterwards."""
    return (size + unit // 2) // unit


def schedule(problem: Problem, table: Table, limit: int) -> Schedule:
    """The schedule that a table has for a limit of so many units."""
    order: list[int] = []
    ran: set[int] = set()
    chain = table.chain

    def forward(first: int, end: int) -> None:
        for block in chain.blocks[first:end]:
            order.extend(number for number in range(block.first, block.end)
                         if number not in ran or problem.tasks[number].again)
            ran.update(range(block.first, block.end))

    # (first, last, units), or the backward tasks of an option.
    pending: list[tuple[int, int, int] | Option] = [(0, len(chain.blocks) - 1, limit)]
    while pending:
        item = pending.pop()
        if isinstance(item, Option):
            order.extend(item.backward)
            continue
        first, last, units = item
        choice = int(table.choice[first, last, units])
        if choice > 0:
            held = _units(int(chain.crossing[first, choice]), table.unit)
            forward(first, choice)
            pending.append((first, choice - 1, units))
            pending.append((choice, last, units - held))
            continue
        option = chain.options[first][-choice - 1]
        forward(first, first + 1)
        pending.append(option)
        if first < last:
            held = held_units(chain, table.unit, first, option)
            pending.append((first + 1, last, units - held))
    return tuple(order)
