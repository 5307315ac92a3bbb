"""Training steps of this checkout beside those of another one: did a change cost time?

    git clone . ../before
    (cd ../before && git checkout COMMIT && python setup.py build_ext --inplace)
    python -m bench.against ../before

Each checkout has a process of its own; they take turns, so that whatever else the machine does
falls on both. A row gives medians over rounds, and how fast this checkout is in terms of the other
(above 1: faster), with the spread over rounds. Exits with 1 if a ratio is below `--least`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from bench.studies.checkouts import HERE, checkout, start

PAUSE = 0.05  # seconds between turns: longer than the threads of OpenMP spin before they sleep


def work(net: str, threads: int) -> None:
    """A worker: reads numbers of steps and answers with the median seconds of one."""
    import numpy as np

    from fastnn.bench.nets import NETS
    from fastnn.bench.own import Peer

    peer, kind = Peer(threads), NETS[net]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((kind.batch, *kind.example)).astype(np.float32)
    step = peer.net(net, x, rng.integers(0, kind.classes, kind.batch))[0]["step"]
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(statistics.median(seconds)), flush=True)


class Worker:
    """The steps of one checkout in a process of its own."""

    def __init__(self, folder: Path, net: str, threads: int) -> None:
        self._process = start(folder, __spec__.name, folder, "--work", net, "--threads", threads,
                              OMP_NUM_THREADS=str(threads))

    def seconds(self, steps: int) -> float:
        """The median seconds of so many steps."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(steps, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"a worker ended with {self._process.wait()}")
        time.sleep(PAUSE)
        return float(answer)

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(other: Path, net: str, threads: int, rounds: int, seconds: float) -> float:
    """Print one net's row; how fast this checkout is in terms of the other."""
    workers = [Worker(HERE, net, threads), Worker(other, net, threads)]
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
    parser = argparse.ArgumentParser(description="Steps of this checkout beside another one's.")
    parser.add_argument("other", type=checkout, help="a checkout whose kernels are built")
    parser.add_argument("--nets", nargs="+", default=[
        "lenet", "mlp", "mlp-small", "resnet20", "vgg11", "resnet18"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--least", type=float, default=0.97)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.threads)
        return
    print(f"{'net':10} threads    this ms   other ms    ratio   spread")
    ratios = [compare(arguments.other, net, arguments.threads, arguments.rounds,
                      arguments.seconds) for net in arguments.nets]
    sys.exit(min(ratios) < arguments.least)


if __name__ == "__main__":
    main()
