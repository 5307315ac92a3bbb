"""Ctrl-C between two batches: a signal is noted, and handled where everything is consistent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether a signal has come."""

    requested = False


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Inside, the first SIGINT only sets `requested`; a second one interrupts at once.

    In another thread than the main one, signals cannot be handled: nothing changes there.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:  # the application has its own way
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.requested:
            signal.default_int_handler(number, frame)
        interruption.requested = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, previous)
