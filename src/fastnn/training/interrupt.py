"""Ctrl-C or SIGTERM between two batches: noted, and handled where everything is consistent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# What Python does by itself. Where an application has its own way, that stays.
DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Terminated(SystemExit):
    """SIGTERM came, and training stopped between two batches."""


class Interruption:
    """Which signal has come, if any."""

    number: int | None = None

    def error(self, message: str) -> BaseException:
        """What to raise for it: KeyboardInterrupt for Ctrl-C, else Terminated."""
        return (KeyboardInterrupt if self.number == signal.SIGINT else Terminated)(message)


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Inside, the first SIGINT or SIGTERM is only noted; a second one acts at once.

    In another thread than the main one, signals cannot be handled: nothing changes there.
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
