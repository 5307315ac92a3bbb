"""What a cut of the activations costs in measured time, against keeping everything.

    python -m bench.headlines --net deep --shares 0.1 0.143 --steps 2

`cut` is the arena less the parameters' gradients, kept all over planned. Steps of both plans take
turns in one process; times are medians.
"""

import argparse
import time

import numpy as np

import fastnn as fn
from bench.plan_nets import HEADLINES
from fastnn.runtime.process_memory import resident_bytes

SLACK = 8 << 20  # what planning adds to this process


def activations(plan):
    """Bytes of the arena beside what is live when parameters change: their gradients."""
    return plan.layout.arena_bytes - plan.layout.live_bytes(len(plan.steps) - 1)


def median_seconds(step, x, y, steps):
    """Median time of some steps, after one to warm up."""
    step(x, y)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step(x, y)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=HEADLINES, default="deep")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1],
                        help="of the activations of keeping everything")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    fn.set_num_threads(options.threads)
    make, shape = HEADLINES[options.net]
    net = make()
    optimizer = fn.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    step = fn.TrainStep(net, fn.nn.CrossEntropyLoss(), optimizer)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape, dtype=np.float32), rng.integers(0, 10, shape[0])
    whole = step.plan(shape)
    full = median_seconds(step, x, y, options.steps)
    print(f"{options.net}: keeping all {activations(whole) / 2**20:.1f} MiB of activations, "
          f"{full * 1e3:.1f} ms", flush=True)
    print(f"{'cut':>6s} {'ms':>9s} {'measured':>8s} {'predicted':>9s} {'planned in':>10s}")
    gradients = whole.layout.arena_bytes - activations(whole)
    for share in options.shares:
        step.memory_budget = None  # gives back the arena of the plan before
        arena = int(gradients + share * activations(whole))
        start = time.perf_counter()
        step.memory_budget = resident_bytes() + whole.batch_bytes + SLACK + arena
        plan = step.plan(shape)
        planning = time.perf_counter() - start
        seconds = median_seconds(step, x, y, options.steps)
        print(f"{activations(whole) / activations(plan):5.2f}x {seconds * 1e3:9.1f} "
              f"{seconds / full:8.3f} {plan.seconds / whole.seconds:9.3f} {planning:9.2f}s",
              flush=True)


if __name__ == "__main__":
    main()
