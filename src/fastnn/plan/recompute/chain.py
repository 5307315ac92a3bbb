"""The best schedules of a chain of blocks for every byte limit, by dynamic programming.

After Beaumont, Eyraud-Dubois, Herrmann, Joly and Shilova ("Optimal checkpointing for
heterogeneous chains", 2019). Blocks s..t, whose input is held, run forward and backward in m bytes
in one of two ways: keep what an option of block s says and go on with s+1..t; or run s..k-1
without keeping anything, process k..t, and then process s..k-1 from their input. Unlike in the
paper, several values may cross into a block (a U-Net's skips), and gradients of parameters fill
memory as the backward pass goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.plan.recompute.blocks import Block, uses
from fastnn.plan.recompute.chain_table import fill, row_of
from fastnn.plan.recompute.options import Option, options
from fastnn.plan.recompute.problem import Problem, Schedule

SLOTS = 256  # limits are multiples of the largest limit over this


@dataclass(frozen=True)
class Chain:
    """Blocks with their options; bytes in units of `unit`.

    crossing[s, k]: what crosses into block k and was made in block s or later. arriving[t]:
    gradients in memory before the backward pass of block t. recompute[k]: seconds to recompute
    block k.
    """

    blocks: tuple[Block, ...]
    options: tuple[tuple[Option, ...], ...]
    crossing: np.ndarray
    arriving: np.ndarray
    recompute: np.ndarray


@dataclass(frozen=True)
class Table:
    """seconds[row_of(s, t), m] of the best schedule, and its choice: k > s, or option -choice - 1.
    """

    chain: Chain
    unit: int
    seconds: np.ndarray
    choice: np.ndarray

    def limits(self) -> list[int]:
        """The limits, in units, at which the best schedule changes."""
        whole = self.seconds[row_of(0, len(self.chain.blocks) - 1)]
        return [m for m in range(whole.size) if np.isfinite(whole[m])
                and (m == 0 or whole[m] < whole[m - 1])]


def make_chain(problem: Problem, parts: list[Block]) -> Chain:
    """The blocks with their options and what crosses between them."""
    count = len(parts)
    block_of = [number for number, part in enumerate(parts) for _ in range(part.first, part.end)]
    crossing = np.zeros((count, count + 1), np.int64)
    for use in uses(problem):
        if use.last_forward >= 0:
            made, read = block_of[use.made], block_of[use.last_forward]
            crossing[:made + 1, made + 1:read + 1] += problem.reserved[use.value]
    recompute = [sum(task.recomputed.seconds for task in problem.tasks[part.first:part.end]
                     if task.recomputable) for part in parts]
    choices = tuple(tuple(options(problem, part)) for part in parts)
    return Chain(tuple(parts), choices, crossing, _arriving(problem, parts),
                 np.array(recompute, float))


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
    unit = max(1, -(-top // SLOTS))
    rows = [(option.forward_peak, option.backward_peak, held_units(chain, unit, first, option))
            for first, each in enumerate(chain.options) for option in each]
    spent = [option.seconds for each in chain.options for option in each]
    starts = np.cumsum([0, *map(len, chain.options)], dtype=np.int64)
    seconds, choice = fill(chain.crossing, _units(chain.crossing, unit), chain.arriving,
                           chain.recompute, starts, np.array(rows), np.array(spent, float), unit,
                           SLOTS)
    return Table(chain, unit, seconds, choice)


def held_units(chain: Chain, unit: int, first: int, option: Option) -> int:
    """Units held beside the input of a block while the blocks after it run."""
    crossing = int(chain.crossing[first, first + 1])
    return int(_units(option.inner_bytes + crossing, unit))


def _units(size: Any, unit: int) -> Any:
    """Rounded to nearest, so that errors cancel over many blocks; schedules are measured exactly
    afterwards."""
    return (size + unit // 2) // unit


def schedule(problem: Problem, table: Table, limit: int) -> Schedule:
    """A table's schedule for a limit of so many units."""
    order: list[int] = []
    ran: set[int] = set()
    chain = table.chain

    def forward(first: int, end: int) -> None:
        for block in chain.blocks[first:end]:
            order.extend(number for number in range(block.first, block.end)
                         if number not in ran or problem.tasks[number].recomputable)
            ran.update(range(block.first, block.end))

    # (first, last, units), or the backward tasks of an option.
    pending: list[tuple[int, int, int] | Option] = [(0, len(chain.blocks) - 1, limit)]
    while pending:
        item = pending.pop()
        if isinstance(item, Option):
            order.extend(item.backward)
            continue
        first, last, units = item
        choice = int(table.choice[row_of(first, last), units])
        if choice > 0:
            held = int(_units(chain.crossing[first, choice], table.unit))
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
