"""Run Python's garbage collector less often while planning.

Planning makes many long-lived objects, and the collector would traverse them all many times: a
third of the planning time for a thousand layers.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 10  # times as many new objects as usual before the collector runs

_lock = threading.Lock()
_inside = 0
_usual = (0, 0, 0)


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Inside, in any number of threads, the collector runs less often.

    >>> import gc
    >>> usual = gc.get_threshold()
    >>> with collected_rarely():
    ...     gc.get_threshold()[0] == RARELY * usual[0]
    True
    >>> gc.get_threshold() == usual
    True
    """
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = gc.get_threshold()
            gc.set_threshold(RARELY * _usual[0], *_usual[1:])
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_usual)
