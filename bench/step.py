"""Time of one training step, fp32 with SGD and momentum: fastnn beside PyTorch.

    python bench/step.py --threads 2

Every mode of every net has a process of its own. They take turns: in each round each runs a few
steps while the others wait, so that whatever else the machine does falls on all of them. A row
gives the median over rounds and the smallest and largest round; the ratio compares medians of the
same round, and above 1 fastnn is faster. The figures also go into a JSON file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers import MODES, NETS

HERE = Path(__file__).parent
DEFAULT_NETS = ("lenet", "resnet20", "mlp")
PAUSE = 0.05  # seconds between turns: longer than the threads of OpenMP spin before they sleep


class Worker:
    """One mode of one net in a process of its own."""

    def __init__(self, mode: str, net: str, threads: int) -> None:
        variables = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.mode = mode
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "peers.py"), mode, net, str(threads)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
        self.facts = self._answer()
        self.rounds: list[list[float]] = []
        self.peak_bytes = 0

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker for {self.mode} ended with {self.process.wait()}")
        return json.loads(line)  # type: ignore[no-any-return]

    def run(self, steps: int) -> list[float]:
        """Seconds of each of `steps` steps."""
        assert self.process.stdin is not None
        print(steps, file=self.process.stdin, flush=True)
        answer = self._answer()
        self.peak_bytes = answer["peak_bytes"]
        time.sleep(PAUSE)
        return answer["seconds"]  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def warm(workers: list[Worker], seconds: float) -> int:
    """Run each for a while; returns how many steps make a turn of `seconds` for the fastest."""
    fastest = float("inf")
    for worker in workers:
        worker.run(2)
        spent = worker.run(3)
        fastest = min(fastest, *spent)
    return max(3, min(1000, round(seconds / fastest)))


def measure(net: str, modes: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Rounds in turns for one net."""
    workers: list[Worker] = []
    try:
        workers += [Worker(mode, net, arguments.threads) for mode in modes]
        sizes = {worker.facts["parameters"] for worker in workers}
        if len(sizes) > 1:
            raise SystemExit(f"{net}: the modes have nets of different sizes: {sizes}")
        steps = warm(workers, arguments.seconds)
        for number in range(arguments.rounds):
            shift = number % len(workers)  # nobody always follows the same one
            for worker in workers[shift:] + workers[:shift]:
                worker.rounds.append(worker.run(steps))
    finally:
        for worker in workers:
            worker.close()
    return {"net": net, "batch": NETS[net].batch, "image": NETS[net].image,
            "parameters": sizes.pop(), "steps_per_turn": steps,
            "modes": [summary(worker, workers[0]) for worker in workers]}


def summary(worker: Worker, first: Worker) -> dict[str, Any]:
    """Medians of rounds, their spread, and how many times as long as `first` it took."""
    medians = [statistics.median(spent) for spent in worker.rounds]
    reference = [statistics.median(spent) for spent in first.rounds]
    ratios = [own / other for own, other in zip(medians, reference, strict=True)]
    return {"mode": worker.mode, "version": worker.facts["version"],
            "seconds": statistics.median(medians), "least": min(medians), "most": max(medians),
            "ratio": statistics.median(ratios), "ratio_least": min(ratios),
            "ratio_most": max(ratios), "peak_bytes": worker.peak_bytes, "rounds": medians}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        pass
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform(),
            "python": platform.python_version(), "load": os.getloadavg()}


def table(results: list[dict[str, Any]]) -> str:
    """The figures for people."""
    rows = [f"{'net':10s} {'batch':>5s}  {'mode':22s} {'ms/step':>9s} {'spread':>17s} "
            f"{'x fastnn':>8s} {'spread':>13s} {'peak MB':>8s}"]
    for result in results:
        for mode in result["modes"]:
            rows.append(
                f"{result['net']:10s} {result['batch']:5d}  {mode['mode']:22s} "
                f"{mode['seconds'] * 1e3:9.3f} "
                f"{mode['least'] * 1e3:8.3f}-{mode['most'] * 1e3:<8.3f} "
                f"{mode['ratio']:8.2f} {mode['ratio_least']:6.2f}-{mode['ratio_most']:<6.2f} "
                f"{mode['peak_bytes'] / 1e6:8.0f}")
    return "\n".join(rows)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time of one training step, in turns.")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(DEFAULT_NETS))
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--rounds", type=int, default=9, help="at least 7 for a fair median")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of the fastest's turn")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE",
                        help="default: bench/results/step-Nt.json for N threads")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    modes = arguments.modes
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed (pip install 'fastnn[parity]'): only fastnn is timed")
        modes = [mode for mode in modes if not mode.startswith("torch")]
    facts = machine()
    results = [measure(net, modes, arguments) for net in arguments.nets]
    versions = dict.fromkeys(mode["version"] for result in results for mode in result["modes"])
    print(f"{facts['processor']}, {arguments.threads} threads, {arguments.rounds} rounds; "
          f"{', '.join(versions)}; load at the start {facts['load'][0]:.1f}")
    print(table(results))
    path = arguments.json or HERE / "results" / f"step-{arguments.threads}t.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": facts, "threads": arguments.threads, "rounds": arguments.rounds,
              "results": results}
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
