"""The workers of a run: started together, closed together; one that fails is named, not hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastnn.bench.modes import Mode
from fastnn.bench.turns import Seconds, Worker, WorkerError, count_for, in_turns


@dataclass(frozen=True)
class Setting:
    """How a run is made: threads of each worker, rounds, length of the fastest one's turn."""

    threads: int
    rounds: int
    seconds: float
    peers: Path | None = None
    python: str | None = None

    def worker(self, mode: Mode) -> Worker:
        """Start the worker of a mode."""
        return Worker(mode, self.threads, self.peers, self.python)


@dataclass
class Measured:
    """The rounds of the modes that worked, what the others said, and the runs in a turn."""

    rounds: dict[str, list[Seconds]]
    errors: dict[str, str]
    count: int = 0
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)


@contextmanager
def crew(setting: Setting, modes: Sequence[Mode]) -> Iterator[list[Worker]]:
    """A worker for each mode. Raises ImportError where an engine is not installed."""
    workers: list[Worker] = []
    try:
        for mode in modes:
            workers.append(setting.worker(mode))
        yield workers
    finally:
        for worker in workers:
            worker.close()


def measure(workers: Sequence[Worker], request: dict[str, Any], setting: Setting) -> Measured:
    """Let the workers prepare a request and measure it in turns.

    A peer that cannot do it is left out and its message kept. Raises WorkerError if fastnn cannot.
    """
    ready: list[Worker] = []
    result = Measured({}, {})
    for worker in workers:
        try:
            result.facts[worker.mode.name] = worker.ask(request)
            worker.run(1)
            ready.append(worker)
        except WorkerError as error:
            if worker.mode.engine == "fastnn":
                raise
            result.errors[worker.mode.name] = str(error)
    result.count = count_for(ready, setting.seconds)
    rounds = in_turns(ready, setting.rounds, result.count)
    result.rounds = {worker.mode.name: each for worker, each in zip(ready, rounds, strict=True)}
    return result
