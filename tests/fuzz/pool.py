"""Run small cases one after the other in a process that may crash, hang or take too much memory."""

import importlib
import multiprocessing
import os
import resource
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
FAULT = "FAULT: "  # what a result begins with that must not be


@dataclass(frozen=True)
class Limits:
    """Of one case: seconds of the processor, seconds of the clock, bytes beside those at first."""

    computing: float = 5.0
    waiting: float = 60.0  # a busy machine lets others go first
    memory: int = 600 << 20


def run(
    check: str, cases: Iterable[Any], limits: Limits = Limits()
) -> Iterator[tuple[Any, str]]:
    """(case, result) of every case; `check`, "module:function", returns the result, a text.

    A case that crashes or breaks a limit ends its process; the next one gets a new process.
    """
    worker = None
    try:
        for case in cases:
            worker = worker or _Worker(check, limits)
            result = worker.result(case)
            if worker.ended:
                worker = None
            yield case, result
    finally:
        if worker:
            worker.end()


class _Worker:
    def __init__(self, check: str, limits: Limits) -> None:
        self._limits = limits
        self._connection, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(check, other, limits.memory), daemon=True)
        self._process.start()
        other.close()
        self.ended = False
        try:
            self._connection.recv()  # it is ready: what follows is the case's own time
        except EOFError:
            raise RuntimeError(f"{check} cannot be imported") from None

    def result(self, case: Any) -> str:
        self._connection.send(case)
        started, before = time.monotonic(), self._computed()
        while not self._connection.poll(0.1):
            computed, waited = self._computed() - before, time.monotonic() - started
            if computed > self._limits.computing or waited > self._limits.waiting:
                self.end()
                return f"{FAULT}no end after {computed:.1f} s of work and {waited:.0f} s in all"
        try:
            result: str = self._connection.recv()
        except EOFError:
            self._process.join()
            self.end()
            return f"{FAULT}the process ended with {self._process.exitcode}"
        return result

    def _computed(self) -> float:
        """Seconds of the processor that the process has used."""
        try:
            with open(f"/proc/{self._process.pid}/stat") as stream:
                user, system = stream.read().rpartition(")")[2].split()[11:13]
        except OSError:
            return 0.0
        return (int(user) + int(system)) / TICKS

    def end(self) -> None:
        self.ended = True
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(check: str, connection: Connection, memory: int) -> None:
    module, _, name = check.partition(":")
    function = getattr(importlib.import_module(module), name)
    warnings.simplefilter("ignore")
    limit = _address_space() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    connection.send(None)
    while True:
        try:
            case = connection.recv()
        except EOFError:
            return
        try:
            result = function(case)
        except BaseException:
            result = f"{FAULT}{traceback.format_exc()}"
        connection.send(result)


def _address_space() -> int:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()
