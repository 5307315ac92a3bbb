"""Processes of their own that studies start, with the fastnn of this checkout or of another one."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]
PAUSE = 0.05  # seconds between turns: longer than the threads of OpenMP spin before they sleep


def checkout(text: str) -> Path:
    """A checkout that a command line names."""
    folder = Path(text).resolve()
    if not (folder / "src/fastnn").is_dir():
        raise argparse.ArgumentTypeError(f"name the folder of another checkout, got {text}")
    return folder


def start(module: str, *arguments: object, folder: Path = HERE, errors: int | None = None,
          **variables: str) -> subprocess.Popen[str]:
    """Run a module of this checkout's `bench` with the fastnn in `folder`, over pipes.

    errors: where the process's errors go, as `subprocess` has it. variables: of the environment.
    """
    paths = [str(folder / "src"), str(HERE), os.environ.get("PYTHONPATH", "")]
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}
    return subprocess.Popen([sys.executable, "-P", "-m", module, *map(str, arguments)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                            env=os.environ | variables)


def figures(module: str, *arguments: object, folder: Path = HERE,
            **variables: str) -> dict[str, Any]:
    """What a process prints as JSON in its last line; {"error": its last words} if it fails."""
    process = start(module, *arguments, folder=folder, errors=subprocess.PIPE, **variables)
    output, errors = process.communicate()
    if process.returncode:
        return {"error": (errors.splitlines() or [f"ended with {process.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


class StepWorker:
    """A process that makes steps when it is told to, with `serve_steps`, and waits in between."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self) -> Any:
        """The next line that it prints, from JSON."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with {self._process.wait()}")
        return json.loads(line)

    def seconds(self, steps: int) -> float:
        """The median seconds of so many steps."""
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin, flush=True)
        median: float = self.answer()
        time.sleep(PAUSE)
        return median

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if status := self._process.wait():
            raise SystemExit(f"a worker ended with {status}")


def serve_steps(step: Callable[[], object]) -> None:
    """In a worker: read numbers of steps, and answer with the median seconds of one."""
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps(statistics.median(seconds)), flush=True)
