"""Did a change cost time? Training steps of this checkout beside those of another one.

    git clone . ../before
    (cd ../before && git checkout COMMIT && python setup.py build_ext --inplace)
    python -m bench.studies.against ../before

Each checkout has a process of its own; they take turns, so that whatever else the machine does
falls on both. A row gives medians over rounds, and how fast this checkout is in terms of the other
(above 1: faster), with the spread over rounds. Exits with 1 if a ratio is below `--least`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from bench.studies.options import add_rounds, add_threads, parser_of
from bench.studies.processes import HERE, StepWorker, checkout, serve_steps, start


def work(net: str, threads: int) -> None:
    """A worker."""
    import numpy as np

    from fastnn.bench.nets import NETS
    from fastnn.bench.own import Peer

    peer, kind = Peer(threads), NETS[net]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((kind.batch, *kind.example)).astype(np.float32)
    serve_steps(peer.net(net, x, rng.integers(0, kind.classes, kind.batch))[0]["step"])


def compare(other: Path, net: str, threads: int, rounds: int, seconds: float) -> float:
    """Print one net's row; how fast this checkout is in terms of the other."""
    workers = [StepWorker(start(__spec__.name, other, "--work", net, "--threads", threads,
                                folder=folder, OMP_NUM_THREADS=str(threads)))
               for folder in (HERE, other)]
    fastest = min(worker.seconds(3) for worker in workers)
    steps = max(3, round(seconds / fastest))
    found: list[tuple[float, float]] = []
    for number in range(rounds):
        order = (0, 1) if number % 2 else (1, 0)
        times = {which: workers[which].seconds(steps) for which in order}
        found.append((times[0], times[1]))
    for worker in workers:
        worker.close()
    ratios = sorted(before / now for now, before in found)
    now, before = (statistics.median(column) * 1e3 for column in zip(*found, strict=True))
    ratio = statistics.median(ratios)
    print(f"{net:10} {threads:7} {now:10.3f} {before:10.3f} {ratio:8.3f}   "
          f"{ratios[0]:.3f} to {ratios[-1]:.3f}", flush=True)
    return ratio


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("other", type=checkout, help="a checkout whose kernels are built")
    parser.add_argument("--nets", nargs="+", default=[
        "lenet", "mlp", "mlp-small", "resnet20", "vgg11", "resnet18"])
    add_threads(parser)
    add_rounds(parser, 11)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--least", type=float, default=0.97)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.threads)
        return
    print(f"{'net':10} threads    this ms   other ms    ratio   spread")
    ratios = [compare(options.other, net, options.threads, options.rounds, options.seconds)
              for net in options.nets]
    sys.exit(min(ratios) < options.least)


if __name__ == "__main__":
    main()
