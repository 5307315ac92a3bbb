"""How many images a second do several Python threads infer, beside one?

    python -m bench.studies.serving --nets resnet20 vgg11 --threads 8

Kernels use one thread each. Every round measures one Python thread and then several, each of which
infers one image after the other. A row has the medians, how many cores this process kept busy with
several threads, and the cores that other processes took meanwhile, which should be near 0.
"""

from __future__ import annotations

import os
import threading
import time
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import fastnn as fn
from bench.studies.options import add_rounds, parser_of

TICKS = os.sysconf("SC_CLK_TCK")


class Rate(NamedTuple):
    """Images a second, cores that this process kept busy, cores of all others."""

    images: float
    cores: float
    others: float


def busy_seconds() -> float:
    """Seconds of all cores in use since the machine started."""
    with open("/proc/stat") as file:
        spent = [int(word) for word in file.readline().split()[1:]]
    return (sum(spent) - spent[3] - spent[4]) / TICKS


def rate(model: Any, x: np.ndarray, threads: int, seconds: float) -> Rate:
    """How fast so many Python threads infer."""
    done, counts = threading.Event(), [0] * threads

    def infer(number: int) -> None:
        while not done.is_set():
            model(x)
            counts[number] += 1

    workers = [threading.Thread(target=infer, args=(i,)) for i in range(threads)]
    busy, own, start = busy_seconds(), time.process_time(), time.perf_counter()
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    done.set()
    for worker in workers:
        worker.join()
    passed, own = time.perf_counter() - start, time.process_time() - own
    return Rate(sum(counts) / passed, own / passed, (busy_seconds() - busy - own) / passed)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--nets", nargs="+", default=["resnet20", "vgg11"])
    parser.add_argument("--threads", type=int, default=8)
    add_rounds(parser, 9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    arguments = parser.parse_args()
    fn.set_num_threads(1)
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    print(f"load average {os.getloadavg()[0]:.2f}")
    print(f"{'net':10s} {'1 thread':>10s} {arguments.threads:>3d} threads {'ratio':>6s} "
          f"{'cores':>6s} {'others':>7s}")
    for name in arguments.nets:
        model = fn.models.create(name).eval()
        rate(model, x, arguments.threads, arguments.seconds)
        rounds = [(rate(model, x, 1, arguments.seconds),
                   rate(model, x, arguments.threads, arguments.seconds))
                  for _ in range(arguments.rounds)]
        one, several = (median(each[i].images for each in rounds) for i in (0, 1))
        ratio = median(each[1].images / each[0].images for each in rounds)
        cores = median(each[1].cores for each in rounds)
        others = median(max(each[0].others, each[1].others) for each in rounds)
        print(f"{name:10s} {one:8.0f}/s {several:9.0f}/s {ratio:6.2f} {cores:6.2f} {others:7.2f}")


if __name__ == "__main__":
    main()
