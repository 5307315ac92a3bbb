"""This machine's limits, measured: multiply-adds a second and bytes copied a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastnn._kernels.peak import copy_bytes, multiply_adds
from fastnn.runtime.arena import aligned_bytes

BLOCK = 96 << 20  # bytes of each array: larger than most caches, and cut evenly for 1, 2, 3, 4, ..
TURN = 0.02  # seconds of one measurement of multiply-adds
REPEATS = 7


def measure(threads: int, repeats: int = REPEATS, block: int = BLOCK) -> dict[str, float]:
    """{"threads", "flops", "bytes"}: the best of some repeats, per second, in this process.

    flops counts a multiply-add as two. bytes counts each byte read and each byte written; the
    better of stores past the caches and of memcpy. The best is meant, not the median: what is
    sought is a limit, and what else runs only lowers it.
    """
    block -= block % (256 * threads)
    source, target = aligned_bytes(block), aligned_bytes(block)
    source[:] = target[:] = 1  # touch the pages
    rounds = _rounds_for(TURN)
    flops = max(_rate(lambda: multiply_adds(rounds, threads)) for _ in range(repeats))
    moved = max(_rate(lambda past=past: copy_bytes(source, target, threads, past))
                for _ in range(repeats) for past in (True, False))
    return {"threads": threads, "flops": flops, "bytes": moved}


def _rate(work: Callable[[], float]) -> float:
    start = time.perf_counter()
    amount = work()
    return amount / (time.perf_counter() - start)


def _rounds_for(seconds: float) -> int:
    """Rounds that take one undisturbed thread about so long."""
    flops = multiply_adds(1, 1)
    rate = max(_rate(lambda: multiply_adds(1 << 16, 1)) for _ in range(5))
    return max(1, round(seconds * rate / flops))


def better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The higher of two measurements: of one before and one after the rest of a run."""
    return {key: max(value, other[key]) for key, value in one.items()}


def table(rows: list[dict[str, float]]) -> str:
    """The figures for people."""
    lines = [f"{'threads':>7s} {'GFLOP/s':>9s} {'GB/s copied':>12s}"]
    lines += [f"{int(row['threads']):7d} {row['flops'] / 1e9:9.1f} {row['bytes'] / 1e9:12.1f}"
              for row in rows]
    return "\n".join(lines)
