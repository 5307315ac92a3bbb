"""Limits of a team of threads: OpenMP's own limit, and whether this process was forked.

A forked child has one thread, but libgomp still has the records of the parent's team, and a
parallel region would wait for it forever. So a forked child runs every kernel on the calling
thread.
"""

import os

cdef extern from "omp.h":
    int omp_get_max_threads() noexcept nogil

cdef bint forked = False


cdef bint in_forked_child() noexcept nogil:
    return forked


def is_forked_child():
    """Whether this process came out of a fork after fastnn was imported."""
    return forked


def openmp_limit():
    """The most threads that OpenMP would use by default; `threadpoolctl` and others lower it."""
    return omp_get_max_threads()


def _note_fork():
    global forked
    forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
