"""How many threads kernels use.

By default OMP_NUM_THREADS, or else the physical cores that affinity and the cgroup's CPU quota
allow. A limit of OpenMP that `threadpoolctl` sets after our number was chosen bounds it.
"""

from __future__ import annotations

import os

from fastnn._kernels.team import is_forked_child, openmp_limit
from fastnn.runtime.cores import available_cores

MAX_THREADS = 1024
_chosen: int | None = None  # by set_num_threads
_default: int | None = None
_limit_then = 0  # OpenMP's limit when a number was chosen


def default_threads() -> int:
    """OMP_NUM_THREADS if set, else the cores that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if named.isdigit() and int(named) > 0:
        return min(int(named), MAX_THREADS)
    return min(available_cores(), MAX_THREADS)


def get_num_threads() -> int:
    """How many threads kernels use.

    At most n under `threadpoolctl.threadpool_limits(n)`. Always 1 in a forked child: the threads
    of OpenMP do not survive a fork. Start processes by "spawn" or "forkserver" to use more.

    >>> from threadpoolctl import threadpool_limits
    >>> with threadpool_limits(1):
    ...     get_num_threads()
    1
    """
    global _default
    if is_forked_child():
        return 1
    limit: int = openmp_limit()
    if _chosen is not None:
        return _chosen if limit == _limit_then else min(_chosen, limit)
    if _default is None:
        _default = default_threads()
    return min(_default, limit)


def set_num_threads(threads: int) -> None:
    """Set the number of threads that kernels use; results have the same bits for any number.

    With 1, Python threads that call models in eval mode run side by side, not one after the other.
    """
    global _chosen, _limit_then
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise TypeError(f"the number of threads is an integer, got {threads!r}")
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"the number of threads must be from 1 to {MAX_THREADS}, got {threads}")
    _chosen, _limit_then = threads, openmp_limit()
