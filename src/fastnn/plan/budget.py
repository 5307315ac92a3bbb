"""Memory budgets: as people write them, and what a plan adds to what the process holds."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, field
from typing import SupportsIndex

from fastnn.runtime.process_memory import available_bytes, cgroup_bytes, machine_bytes

Budget = int | str | None  # as people write it
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}

RUNNING = 1 << 20  # code, stacks of threads and small objects that a first step touches
NODE = 4 << 10  # a node's objects that a plan makes after its layout: the executor's
PLANNED = 5 << 10  # and those it makes before: the replayed graph, kernels and layout
SPARE = RUNNING // 4  # a plan that leaves less than this free is made anew
AUTO_SHARE = 0.95  # of what is available: other processes grow too
GROWTH = 4 << 20  # what a process may gain between a refusal and the next attempt
LEFT = 3 << 10  # and for each node: a refused plan's memory is freed in fragments


class MemoryBudgetError(MemoryError):
    """The budget is too small; `min_bytes` is the smallest one that works."""

    def __init__(self, message: str, min_bytes: int) -> None:
        super().__init__(message)
        self.min_bytes = min_bytes

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        """Pickle with `min_bytes`, for errors from other processes."""
        return type(self), (str(self), self.min_bytes)


@dataclass(frozen=True)
class Allowance:
    """The bytes that a process may hold, and how many of them are needed beside the arena.

    limit: bytes. others: bytes of the next batch and of all else that comes after planning; None:
    as much as the plan's own batch. plans: how many plans like this one will be made, whose objects
    take memory too. floor: the most that the process has held, where its whole life counts. Equal
    limits give equal plans.
    """

    limit: int
    others: int | None = field(default=None, compare=False)
    plans: int = field(default=1, compare=False)
    floor: int = field(default=0, compare=False)

    def beside(self, batch: int) -> int:
        """Bytes to leave beside a plan for a batch of so many bytes."""
        return batch if self.others is None else self.others

    def objects(self, nodes: int) -> int:
        """Bytes to leave for the objects of other plans of so many nodes."""
        return (self.plans - 1) * (PLANNED + NODE) * nodes


def running_bytes(nodes: int) -> int:
    """Bytes that a first step of so many nodes takes beside the arena and the batch."""
    return RUNNING + NODE * nodes


def growth_bytes(nodes: int) -> int:
    """Bytes that a process may gain until another plan for so many nodes is made."""
    return GROWTH + (PLANNED + LEFT) * nodes


def parse_bytes(budget: SupportsIndex | str) -> int:
    """A number of bytes from 512, "512MiB" or "2GB".

    >>> parse_bytes("512MiB")
    536870912
    """
    if isinstance(budget, bool) or not isinstance(budget, (SupportsIndex, str)):
        raise TypeError(f"a memory budget is a number of bytes or text like '512MiB', "
                        f"got {budget!r}")
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(budget))
    if not match or match[2].upper() not in UNITS:
        raise ValueError(f"a memory budget is a number of bytes or text like '512MiB' or '2GB', "
                         f"got {budget!r}")
    value = int(float(match[1]) * UNITS[match[2].upper()])
    if value <= 0:
        raise ValueError(f"a memory budget must be positive, got {budget!r}")
    return value


def is_auto(budget: SupportsIndex | str) -> bool:
    """Whether a budget is "auto": what the process can hold."""
    return isinstance(budget, str) and budget.strip().lower() == "auto"


def resolve(budget: SupportsIndex | str) -> int:
    """Bytes of a budget; for "auto", what the process can hold now, less a margin.

    What it can hold is its cgroup's limit, or what it holds already plus what the machine has free.
    Warns of a budget above the machine's memory. Warns of one above the cgroup's limit and returns
    that limit less the margin, since the kernel kills a process that exceeds it. Raises ValueError
    or TypeError for nonsense, and ValueError for "auto" where the system reports no memory size.
    """
    if is_auto(budget):
        available = available_bytes()
        if available == math.inf:
            raise ValueError("memory budget 'auto': this system does not say how much memory "
                             "there is; name the bytes")
        return int(available * AUTO_SHARE)
    limit, machine, group = parse_bytes(budget), machine_bytes(), cgroup_bytes()
    if limit > group:
        allowed = int(group * AUTO_SHARE)
        warnings.warn(f"a memory budget of {format_bytes(limit)} is more than the limit of this "
                      f"process's cgroup, {format_bytes(group)}: {format_bytes(allowed)} are used",
                      stacklevel=2)
        return allowed
    if limit > machine:
        warnings.warn(f"a memory budget of {format_bytes(limit)} is more than this machine has, "
                      f"{format_bytes(machine)}", stacklevel=2)
    return limit


def format_bytes(count: float) -> str:
    """A number of bytes for people.

    >>> format_bytes(3 * 2**20)
    '3.0 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError
