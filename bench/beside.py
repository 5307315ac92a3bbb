"""What it costs fastnn that another library is imported beside it: its OpenMP runtime, its pools.

    python bench/beside.py --threads 2

Every order of imports has a process of its own that makes the same training steps. They take
turns, so that whatever else the machine does falls on all of them. A row gives the median over
rounds; the ratio compares with fastnn alone in the same round, and its spread says how far the
machine's noise carries. The aim is a median of at most 1.05. The figures also go into a JSON file.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ORDERS = {
    "alone": ("fastnn",),
    "scikit-learn first": ("sklearn.ensemble", "fastnn"),
    "scikit-learn after": ("fastnn", "sklearn.ensemble"),
    "PyTorch first": ("torch", "fastnn"),
    "PyTorch after": ("fastnn", "torch"),
}
BATCH, IMAGE = 64, (1, 28, 28)
PAUSE = 0.05  # seconds between turns: longer than the threads of OpenMP spin before they sleep


def work(order: str, net: str, threads: int) -> None:
    """A worker: imports in order, then reads numbers of steps and answers with seconds of each."""
    for name in ORDERS[order]:
        importlib.import_module(name)
    import numpy as np

    import fastnn as fn

    fn.set_num_threads(threads)
    model = fn.models.create(net, 10, IMAGE[0], IMAGE[1:])
    optimizer = fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((BATCH, *IMAGE)).astype(np.float32), rng.integers(0, 10, BATCH)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step(x, y)
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)


class Worker:
    """One order of imports in a process of its own."""

    def __init__(self, order: str, net: str, threads: int) -> None:
        self.order, self.rounds = order, list[float]()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", order, "--nets", net, "--threads", str(threads)],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)})

    def run(self, steps: int) -> float:
        """Median seconds of a step."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(steps, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker {self.order!r} ended with {self.process.wait()}")
        time.sleep(PAUSE)
        return statistics.median(json.loads(line))

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(net: str, orders: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Rounds in turns for one net; a row for each order."""
    workers: list[Worker] = []
    try:
        workers += [Worker(order, net, arguments.threads) for order in orders]
        for worker in workers:
            worker.run(5)
        steps = max(3, round(arguments.seconds / min(worker.run(5) for worker in workers)))
        for number in range(arguments.rounds):
            shift = number % len(workers)  # nobody always follows the same one
            for worker in workers[shift:] + workers[:shift]:
                worker.rounds.append(worker.run(steps))
    finally:
        for worker in workers:
            worker.close()
    rows = []
    for worker in workers:
        ratios = [own / alone for own, alone in zip(worker.rounds, workers[0].rounds, strict=True)]
        rows.append({"net": net, "imports": worker.order, "threads": arguments.threads,
                     "seconds": statistics.median(worker.rounds), "rounds": worker.rounds,
                     "ratio": statistics.median(ratios), "least": min(ratios),
                     "most": max(ratios)})
    return rows


def installed(order: str) -> bool:
    """Whether every library of an order is there."""
    return all(importlib.util.find_spec(name.split(".")[0]) for name in ORDERS[order])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="The cost of another library beside fastnn.")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--nets", nargs="+", default=["lenet", "mlp"])
    parser.add_argument("--rounds", type=int, default=9, help="at least 7 for a fair median")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE",
                        help="default: bench/results/beside-Nt.json for N threads")
    parser.add_argument("--work", choices=list(ORDERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.work:
        work(arguments.work, arguments.nets[0], arguments.threads)
        return
    orders = [order for order in ORDERS if installed(order)]
    for order in ORDERS.keys() - set(orders):
        print(f"not installed, so not measured: {order}")
    rows = [row for net in arguments.nets for row in measure(net, orders, arguments)]
    print(f"{'net':8s} {'imports':20s} {'ms/step':>9s} {'x alone':>8s} {'spread':>13s}")
    for row in rows:
        print(f"{row['net']:8s} {row['imports']:20s} {row['seconds'] * 1e3:9.3f} "
              f"{row['ratio']:8.3f} {row['least']:6.3f}-{row['most']:<6.3f}")
    folder = Path(__file__).parent / "results"
    path = arguments.json or folder / f"beside-{arguments.threads}t.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
