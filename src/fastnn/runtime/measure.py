"""Measure the peak memory of code whose needs are unknown."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastnn.runtime.process_memory import peak_bytes, resident_bytes


@dataclass
class Growth:
    """The peak of bytes taken beyond what was held before."""

    bytes: int = 0


@contextmanager
def growth() -> Iterator[Growth]:
    """Measure the memory that the code inside takes; the result is valid at the end.

    Memory of NumPy and Python is traced exactly. Memory of other libraries is seen only as resident
    memory of the process at the end, or as a new peak of the process.

    >>> import numpy as np
    >>> with growth() as taken:
    ...     y = np.ones(1 << 20, np.uint8).astype(np.float32).sum()
    >>> 5 << 20 <= taken.bytes < 6 << 20
    True
    """
    found = Growth()
    traced_by_others = tracemalloc.is_tracing()
    if not traced_by_others:
        tracemalloc.start()
    tracemalloc.reset_peak()
    traced = tracemalloc.get_traced_memory()[0]
    resident, peak = resident_bytes(), peak_bytes()
    try:
        yield found
    finally:
        most = tracemalloc.get_traced_memory()[1] - traced
        if not traced_by_others:
            tracemalloc.stop()
        highest = peak_bytes()
        risen = highest - resident if highest > peak else 0
        found.bytes = max(most, resident_bytes() - resident, risen)
