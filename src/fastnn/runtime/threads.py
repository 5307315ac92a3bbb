"""How many threads kernels use: by default what affinity, the cgroup and OMP_NUM_THREADS leave."""

from __future__ import annotations

import os
from pathlib import Path

MAX_THREADS = 1024
_threads: int | None = None


def _quota(root: str = "/sys/fs/cgroup") -> int:
    """Whole processors that the cgroup's CPU quota allows; a large number without a quota."""
    try:
        quota, period = Path(root, "cpu.max").read_text().split()
        return max(1, int(quota) // int(period)) if quota != "max" else MAX_THREADS
    except (OSError, ValueError):
        return MAX_THREADS


def default_threads() -> int:
    """OMP_NUM_THREADS if set, else the processors that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if named.isdigit() and int(named) > 0:
        return min(int(named), MAX_THREADS)
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(available, _quota(), MAX_THREADS))


def get_num_threads() -> int:
    """How many threads kernels use."""
    global _threads
    if _threads is None:
        _threads = default_threads()
    return _threads


def set_num_threads(threads: int) -> None:
    """Let kernels use `threads` threads; results have the same bits for any number."""
    global _threads
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"the number of threads is an integer, got {threads!r}")
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"the number of threads must be from 1 to {MAX_THREADS}, got {threads}")
    _threads = threads
