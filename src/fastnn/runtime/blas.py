"""One thread for BLAS while kernels call it from threads of their own.

Two pools of threads on the same cores fight for them, and the bits of a product may depend on how
many threads share it. The limit belongs to the process (OpenBLAS has no other), so it is counted:
the first of several threads that run plans at once sets it, and the last restores what was before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
_users = 0
_limit: Any = None


@cache
def _libraries() -> ThreadpoolController:
    """SciPy's BLAS and any other: which one is SciPy's cannot be told. To find them takes long."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread; the library must be loaded by now.

    >>> import scipy.linalg.cython_blas
    >>> from threadpoolctl import threadpool_info
    >>> with one_blas_thread():
    ...     {entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}
    {1}
    """
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = _libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
