"""Limit BLAS to one thread while kernels call it from their own threads.

Two thread pools on the same cores slow each other down, and the bits of a product may depend on its
number of threads. OpenBLAS's limit is global to the process, and threadpoolctl does not synchronise
changes to it. So plans that call BLAS run one after the other; whitening in a thread waits, too.
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
    """All loaded BLAS libraries: which one is SciPy's is unknown. The search is slow, so cached."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread; the library must be loaded already.

    >>> import scipy.linalg.cython_blas
    >>> from threadpoolctl import threadpool_info
    >>> with one_blas_thread():
    ...     {entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}
    {1}
    """
    with _lock, _libraries().limit(limits=1, user_api="blas"):
        yield
