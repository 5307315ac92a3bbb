"""Stop `fastnn train` at random moments and resume it: it must end in the bits of a run left alone.

    python -m tests.fuzz.kills --count 200 --seed 1

A run is stopped by SIGKILL, SIGINT or SIGTERM: while it starts, as a file of its folder is being
written or just was, or any time after; then resumed, with another number of threads, and perhaps
stopped again. Meanwhile a reader looks at every new file, which must be whole.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tests.cli.command import NET, start, write_data

JOBS = (
    ("--model", "net.py:make", "--batch-size", 16, "--epochs", 2, "--shift", 1),
    ("--model", "mlp", "--optimizer", "adam", "--schedule", "cosine", "--batch-size", 24,
     "--epochs", 3, "--validation", 0.2),
    ("--model", "net.py:make", "--batch-size", 32, "--epochs", 2, "--accumulate", 3,
     "--optimizer", "adamw", "--schedule", "step", "--label-smoothing", 0.1),
    ("--model", "net.py:make", "--batch-size", 20, "--epochs", 2, "--accumulate", "auto",
     "--memory-budget", "200MiB"),
)
COMMON = ("--data", "data.npz", "--checkpoint-batches", 1)
SIGNALS = (signal.SIGKILL,) * 5 + (signal.SIGINT, signal.SIGTERM)
MOMENTS = ("start", "part", "settings.json", "checkpoint.safetensors", "checkpoint.safetensors",
           "history.jsonl", "weights.safetensors", "result.json", "curves.png")
MOST_STOPS = 4  # of one run
SECONDS = 300  # for what takes one or two on a machine with nothing else to do


class Fault(Exception):
    """Something that must not be; says what."""


@dataclass
class Reader:
    """Reads every new state of a run's files as soon as it sees one."""

    folder: Path
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Read what changed; raises Fault for a file that is not whole."""
        try:
            entries = [(entry.name, entry.stat()) for entry in os.scandir(self.folder)]
        except OSError:
            return
        for name, status in entries:
            state = status.st_ino, status.st_mtime_ns
            if name.endswith(".part"):
                self.changes["part"] = self.changes.get("part", 0) + 1
            elif self.seen.get(name) != state:
                self.seen[name] = state
                self.changes[name] = self.changes.get(name, 0) + 1
                check_whole(self.folder / name)


def check_whole(path: Path) -> None:
    """Raise Fault for a file that is there and is not whole."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "numpy") as file:
                for name in list(file.keys()):
                    file.get_tensor(name)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            text = path.read_text()
            assert not text or text.endswith("\n")
            [json.loads(line) for line in text.splitlines()]
        elif path.suffix == ".png":
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    except FileNotFoundError:
        return
    except Exception as error:
        raise Fault(f"{path.name} was seen half-written: {error!r}") from error


def contents(folder: Path) -> dict[str, Any]:
    """What must be the same: the files' names, weights, the history and the result."""
    without = {"seconds", "run"}
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    result = json.loads((folder / "result.json").read_text())
    return {"files": sorted(path.name for path in folder.iterdir()),
            "weights": (folder / "weights.safetensors").read_bytes(),
            "history": [{k: v for k, v in epoch.items() if k not in without} for epoch in history],
            "result": {k: v for k, v in result.items() if k not in without}}


class Runs:
    """Runs of one job in a folder: one left alone, and those that are stopped."""

    def __init__(self, job: int, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "net.py").write_text(NET)
        write_data(folder / "data.npz", 96)
        self.options = ["train", *COMMON, *JOBS[job], "--seed", job]
        process = start(*self.options, "--output", "whole", "--threads", 1, folder=folder)
        _, errors = process.communicate(timeout=SECONDS)
        if process.returncode:
            raise Fault(f"the run that nobody stops ends with {process.returncode}: {errors}")
        self.expected = contents(folder / "whole")

    def stopped(self, draw: random.Random, most: int) -> list[str]:
        """Stop a run up to `most` times and let it end. What was done, as text. Raises Fault."""
        done: list[str] = []
        output = self.folder / "stopped"
        shutil.rmtree(output, ignore_errors=True)
        while True:
            stop = len(done) < most and (not done or draw.random() < 0.7)
            plan = self._plan(draw) if stop else None
            code, errors = self._once(output, draw, plan)
            if plan is not None and code != 0:
                done.append(f"{plan[0].name} at {plan[1]} {plan[2]}")
            if code == 0:
                break
            self._check_stopped(output, plan, code, errors, done)
        found = contents(output)
        wrong = [name for name in found if found[name] != self.expected[name]]
        if wrong:
            raise Fault(f"other {', '.join(wrong)} after {'; '.join(done)}: " + "; ".join(
                f"{found[name]} and not {self.expected[name]}" for name in wrong
                if name != "weights"))
        return done

    def _plan(self, draw: random.Random) -> tuple[signal.Signals, str, int, float]:
        moment = draw.choice(MOMENTS)
        count = draw.randint(1, 14 if moment.startswith(("part", "checkpoint")) else 2)
        return draw.choice(SIGNALS), moment, count, draw.choice((0, draw.uniform(0, 0.05)))

    def _once(
        self, output: Path, draw: random.Random, plan: tuple[signal.Signals, str, int, float] | None
    ) -> tuple[int, str]:
        """Start or resume the run, and stop it as planned; (exit code, standard error)."""
        options = ["train", "--resume", output] if output.exists() \
            else [*self.options, "--output", output]
        process = start(*options, "--threads", draw.choice((1, 2, 3)), folder=self.folder)
        try:
            if plan is not None:
                self._stop(process, Reader(output), *plan, draw)
            errors = process.communicate(timeout=SECONDS)[1]
        except subprocess.TimeoutExpired:
            raise Fault(f"no end after {SECONDS} s, with {plan}") from None
        finally:
            process.kill()
            process.wait()
        return process.returncode, errors

    def _stop(
        self, process: Any, reader: Reader, number: signal.Signals, moment: str, count: int,
        delay: float, draw: random.Random,
    ) -> None:
        deadline = time.monotonic() + (draw.uniform(0, 2) if moment == "start" else SECONDS)
        reader.look()  # what is there from before is no change
        reader.changes.clear()
        while process.poll() is None and time.monotonic() < deadline:
            if reader.changes.get(moment, 0) >= count:
                break
            time.sleep(0.001)
            reader.look()
        time.sleep(delay)
        process.send_signal(number)

    def _check_stopped(
        self, output: Path, plan: Any, code: int, errors: str, done: list[str]
    ) -> None:
        """Raise Fault unless a run was stopped properly; an unborn one is removed."""
        for path in output.iterdir() if output.exists() else ():
            if not path.name.endswith(".part"):
                check_whole(path)
        unborn = not (output / "checkpoint.safetensors").exists()
        if plan is None or plan[0] is not signal.SIGKILL:
            expected = () if plan is None else (1, 130, 143, -plan[0])
            # While Python still imports, Ctrl-C is its own to show.
            shown = "Traceback" in errors and not errors.rstrip().endswith("KeyboardInterrupt")
            if code not in expected or (shown and not unborn):
                raise Fault(f"exit code {code} after {'; '.join(done)}: {errors[-2000:]}")
        if unborn:
            shutil.rmtree(output, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="how many times to stop a run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(JOBS), help="how many kinds of run")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children must not ignore it
    draw = random.Random(options.seed)
    stops = runs = faults = 0
    with tempfile.TemporaryDirectory() as folder:
        jobs: dict[int, Runs] = {}
        while stops < options.count:
            job = runs % options.jobs
            if job not in jobs:
                jobs[job] = Runs(job, Path(folder, str(job)))
            runs += 1
            try:
                done = jobs[job].stopped(draw, min(MOST_STOPS, options.count - stops))
                stops += len(done)
                print(f"{stops}: {'; '.join(done) or 'ended before its stop'}", flush=True)
            except Fault as fault:
                faults, stops = faults + 1, stops + 1
                print(f"{stops}: FAULT, job {job}: {fault}", flush=True)
    print(f"{stops} stops of {runs} runs, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
