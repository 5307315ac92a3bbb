"""This machine's limits, measured: multiply-adds a second, bytes copied, read and written, and how
long a cache line takes from core to core."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from fastnn._kernels.peak import copy_bytes, hand_over, multiply_adds, read_bytes, write_bytes
from fastnn.runtime.arena import aligned_bytes

BLOCK = 96 << 20  # bytes of each array: larger than most caches, and cut evenly for 1, 2, 3, 4, ..
TURN = 0.02  # seconds of one measurement of multiply-adds
REPEATS = 7


class Meter:
    """The best rates seen so far with a number of threads, in this process.

    The best is meant, not the median: what is sought is a limit, and what else runs only lowers
    it. So a run samples before, between and after what it measures.
    """

    def __init__(self, threads: int, block: int = BLOCK) -> None:
        block -= block % (256 * threads)
        self.threads, self.flops, self.bytes = threads, 0.0, 0.0
        self.read = self.written = 0.0
        self._arrays = aligned_bytes(block), aligned_bytes(block)
        for array in self._arrays:
            array[:] = 1  # touch the pages
        self._rounds = _rounds_for(TURN)

    def sample(self, repeats: int = 1) -> None:
        """Measure once more, or several times."""
        for _ in range(repeats):
            work = partial(multiply_adds, self._rounds, self.threads)
            self.flops = max(self.flops, _rate(work))
            for past_caches in (True, False):
                copy = partial(copy_bytes, *self._arrays, self.threads, past_caches)
                self.bytes = max(self.bytes, _rate(copy))
            self.read = max(self.read, _rate(partial(read_bytes, self._arrays[0], self.threads)))
            write = partial(write_bytes, self._arrays[1], self.threads)
            self.written = max(self.written, _rate(write))

    def rates(self) -> dict[str, float]:
        """{"threads", "flops", "bytes", "read", "written"}, per second.

        flops counts a multiply-add as two. bytes counts each byte read and each byte written; the
        better of stores past the caches and of memcpy. read and written are of bytes that only go
        one way: memory does both at once, so that each is less than what a copy moves.
        """
        return {"threads": self.threads, "flops": self.flops, "bytes": self.bytes,
                "read": self.read, "written": self.written}


def measure(threads: int, repeats: int = REPEATS, block: int = BLOCK) -> dict[str, float]:
    """The best rates of some repeats; see `Meter.rates`."""
    meter = Meter(threads, block)
    meter.sample(repeats)
    return meter.rates()


def handover_seconds() -> float:
    """How long a cache line takes from one thread's core to another's, at the moment.

    25 to 50 ns where both have one last cache, 100 to 200 ns where they do not. A virtual machine's
    processors may move from one place to the other while it runs, and figures with them.
    """
    hand_over(1000)  # wakes the second thread
    return 1 / _rate(lambda: hand_over(20000))


def _rate(work: Callable[[], float]) -> float:
    start = time.perf_counter()
    amount = work()
    return amount / (time.perf_counter() - start)


def _rounds_for(seconds: float) -> int:
    """Rounds that take one undisturbed thread about so long."""
    flops: float = multiply_adds(1, 1)
    rate = max(_rate(lambda: multiply_adds(1 << 16, 1)) for _ in range(5))
    return max(1, round(seconds * rate / flops))


def table(rows: list[dict[str, float]]) -> str:
    """The figures for people."""
    lines = [f"{'threads':>7s} {'GFLOP/s':>9s} {'GB/s copied':>12s} {'read':>7s} {'written':>8s}"]
    lines += [f"{int(row['threads']):7d} {row['flops'] / 1e9:9.1f} {row['bytes'] / 1e9:12.1f} "
              f"{row['read'] / 1e9:7.1f} {row['written'] / 1e9:8.1f}"
              for row in rows]
    return "\n".join(lines)
