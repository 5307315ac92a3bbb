"""Workers in processes of their own, which take turns.

In each round each worker runs a little while the others wait, so that whatever else the machine
does falls on all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fastnn.bench import serve
from fastnn.bench.modes import INSTALL, PACKAGE, Mode, script

PAUSE = 0.05  # seconds between turns: longer than the threads of OpenMP spin before they sleep
FEWEST, MOST = 3, 1000  # runs in a turn

Seconds = dict[str, float]  # of each pass


class WorkerError(RuntimeError):
    """A worker could not do what it was asked; the message is its own."""


class Runner(Protocol):
    """What takes turns; a test has its own."""

    def run(self, count: int) -> dict[str, list[float]]:
        """Seconds of each pass of `count` runs."""


class Worker:
    """One mode of one engine in a process of its own."""

    def __init__(
        self, mode: Mode, threads: int, peers: Path | None = None, python: str | None = None
    ) -> None:
        self.mode, self.peak_bytes = mode, 0
        variables = {**os.environ, **mode.environment, "OMP_NUM_THREADS": str(threads)}
        interpreter = sys.executable
        if mode.engine == "fastnn":
            paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        elif python:
            interpreter = python
            variables.pop("PYTHONPATH", None)
        command = [interpreter, "-P", serve.__file__, str(script(mode.engine, peers)),
                   str(threads), json.dumps(mode.options)]
        # A session of its own: Ctrl-C reaches the driver alone, which then ends its workers.
        self._process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables,
            stderr=subprocess.DEVNULL if mode.engine == "tensorflow" else None,
            start_new_session=True)
        try:
            self.version: str = self._answer()["version"]
        except WorkerError as error:
            self.close()
            if f"No module named '{mode.engine}'" in str(error):
                raise ImportError(f"{mode.engine} is not installed for {interpreter}: "
                                  f"{INSTALL[mode.engine]}") from error
            raise

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.mode.name}: the worker ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.mode.name}: {' '.join(answer['error'].split())}")
        return answer

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer. Raises WorkerError."""
        assert self._process.stdin is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
        except OSError as error:
            raise WorkerError(f"{self.mode.name}: the worker has ended") from error
        return self._answer()

    def run(self, count: int) -> dict[str, list[float]]:
        answer = self.ask({"run": count})
        self.peak_bytes = answer["peak_bytes"]
        time.sleep(PAUSE)
        seconds: dict[str, list[float]] = answer["seconds"]
        return seconds

    def close(self) -> None:
        """Let the process end; end it if it is busy."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def count_for(runners: Sequence[Runner], seconds: float) -> int:
    """Run each for a while; how many runs make a turn of `seconds` for the fastest."""
    fastest = float("inf")
    for runner in runners:
        runner.run(2)
        spent = runner.run(3)
        fastest = min(fastest, *(sum(each) for each in zip(*spent.values(), strict=True)))
    return max(FEWEST, min(MOST, round(seconds / max(fastest, 1e-9))))


def in_turns(
    runners: Sequence[Runner], rounds: int, count: int,
    progress: Callable[[int], None] = lambda number: None,
) -> list[list[Seconds]]:
    """For each runner and round, the median seconds of each pass over `count` runs."""
    results: list[list[Seconds]] = [[] for _ in runners]
    for number in range(rounds):
        order = list(range(len(runners)))
        shift = number % max(1, len(order))  # nobody always follows the same one
        for place in order[shift:] + order[:shift]:
            spent = runners[place].run(count)
            results[place].append({key: statistics.median(each) for key, each in spent.items()})
        progress(number + 1)
    return results
