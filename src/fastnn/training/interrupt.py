"""Defer Ctrl-C and SIGTERM to the end of a batch, where everything is consistent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Python's default handlers. An application's own handlers stay.
DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Terminated(SystemExit):
    """SIGTERM came, and training stopped between two batches."""


class Interruption:
    """The signal that was received, if any."""

    number: int | None = None

    def error(self, message: str) -> BaseException:
        """The error to raise: KeyboardInterrupt for Ctrl-C, else Terminated."""
        return (KeyboardInterrupt if self.number == signal.SIGINT else Terminated)(message)


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Inside, the first SIGINT or SIGTERM is only recorded; a second one acts at once.

    Does nothing outside of the main thread, where signals cannot be handled.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.number is not None:
            signal.signal(number, DEFAULTS[signal.Signals(number)])
            signal.raise_signal(number)
        interruption.number = number

    taken = [number for number, default in DEFAULTS.items() if signal.getsignal(number) is default]
    for number in taken:
        signal.signal(number, note)
    try:
        yield interruption
    finally:
        for number in taken:
            signal.signal(number, DEFAULTS[number])
