"""Bytes: what the process holds already, what a plan adds, and budgets that people write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import SupportsIndex

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}

RUNNING = 1 << 20  # code, stacks of threads and small objects that a first step touches
GROWTH = 2 << 20  # what a process may gain between a refusal and the next attempt


class MemoryBudgetError(MemoryError):
    """The budget is too small; `min_bytes` is the smallest one that works."""

    def __init__(self, message: str, min_bytes: int) -> None:
        super().__init__(message)
        self.min_bytes = min_bytes


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


def resident_bytes() -> int:
    """Resident memory of this process, as the operating system counts it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
