"""One thread for BLAS while kernels call it from threads of their own.

Two pools of threads on the same cores fight for them, and the bits of a product may depend on how
many threads share it. OpenBLAS's limit belongs to the process, and threadpoolctl lets one thread at
a time change it, ignoring all others: so plans that call BLAS run one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock

from threadpoolctl import ThreadpoolController

_lock = RLock()  # a plan may run another, in a Python function


def _new_lock() -> None:
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # another thread's lock would stay locked in the child
    os.register_at_fork(after_in_child=_new_lock)


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
    with _lock, _libraries().limit(limits=1, user_api="blas"):
        yield
