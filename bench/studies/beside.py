"""What does another library cost that is imported beside fastnn? Its OpenMP runtime, its pools.

    python -m bench.studies.beside --threads 2

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
from pathlib import Path
from typing import Any

from bench.studies.options import add_rounds, add_threads, parser_of
from bench.studies.processes import HERE, StepWorker, serve_steps, start

ORDERS = {
    "alone": ("fastnn",),
    "scikit-learn first": ("sklearn.ensemble", "fastnn"),
    "scikit-learn after": ("fastnn", "sklearn.ensemble"),
    "PyTorch first": ("torch", "fastnn"),
    "PyTorch after": ("fastnn", "torch"),
}
BATCH, IMAGE = 64, (1, 28, 28)


def work(order: str, net: str, threads: int) -> None:
    """A worker: imports in order, then makes steps."""
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
    serve_steps(lambda: step(x, y))


def measure(net: str, orders: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rounds in turns for one net; a row for each order."""
    threads = options.threads
    workers = {order: StepWorker(start(__spec__.name, "--work", order, "--nets", net, "--threads",
                                       threads, OMP_NUM_THREADS=str(threads)))
               for order in orders}
    for worker in workers.values():
        worker.seconds(5)
    fastest = min(worker.seconds(5) for worker in workers.values())
    steps = max(3, round(options.seconds / fastest))
    rounds: dict[str, list[float]] = {order: [] for order in orders}
    for number in range(options.rounds):
        first = number % len(orders)  # nobody always follows the same one
        for order in orders[first:] + orders[:first]:
            rounds[order].append(workers[order].seconds(steps))
    for worker in workers.values():
        worker.close()
    rows = []
    for order, seconds in rounds.items():
        ratios = [own / alone for own, alone in zip(seconds, rounds["alone"], strict=True)]
        rows.append({"net": net, "imports": order, "threads": threads,
                     "seconds": statistics.median(seconds), "rounds": seconds,
                     "ratio": statistics.median(ratios), "least": min(ratios),
                     "most": max(ratios)})
    return rows


def installed(order: str) -> bool:
    """Whether every library of an order is there."""
    return all(importlib.util.find_spec(name.split(".")[0]) for name in ORDERS[order])


def main() -> None:
    parser = parser_of(__doc__)
    add_threads(parser)
    parser.add_argument("--nets", nargs="+", default=["lenet", "mlp"])
    add_rounds(parser, 9)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE",
                        help="default: bench/results/beside-Nt.json for N threads")
    parser.add_argument("--work", choices=list(ORDERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.nets[0], options.threads)
        return
    orders = [order for order in ORDERS if installed(order)]
    for order in ORDERS.keys() - set(orders):
        print(f"not installed, so not measured: {order}")
    rows = [row for net in options.nets for row in measure(net, orders, options)]
    print(f"{'net':8s} {'imports':20s} {'ms/step':>9s} {'x alone':>8s} {'spread':>13s}")
    for row in rows:
        print(f"{row['net']:8s} {row['imports']:20s} {row['seconds'] * 1e3:9.3f} "
              f"{row['ratio']:8.3f} {row['least']:6.3f}-{row['most']:<6.3f}")
    path = options.json or HERE / f"bench/results/beside-{options.threads}t.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
