"""How well is the time of a step predicted? Measured beside it, for nets of every kind.

    python -m bench.studies.predictions
    python -m bench.studies.predictions --nets deep unet --threads 1
    python -m bench.studies.predictions --nets resnet50 --threads 2 --kernels

`predicted` is what the plan says from the machine's rates, `measured` the median of some steps
after two to warm up, `least` the fastest of them; `apart` is how long a cache line takes from core
to core before and after, in ns: 25 to 50 where they share the last cache. Rates were measured at
one such distance, and teams are slower at a larger one. --kernels adds, for each kernel, the sum of
its calls' median times by themselves beside what the model says of them.
"""

import time
from collections import defaultdict

import numpy as np

import fastnn as fn
from bench.studies.headlines import apart
from bench.studies.options import add_thread_counts, parser_of
from bench.studies.plan_nets import FIVE, HEADLINES, random_batch
from fastnn.plan.cost.rates import machine_rates

NETS = FIVE | {"resnet18": (FIVE["resnet18"][0], (128, 3, 32, 32)),
               "resnet50": HEADLINES["resnet50"], "deep": HEADLINES["deep"]}


def train_step(name):
    """A step of the net with its batch: a function without arguments, and the TrainStep."""
    make, shape = NETS[name]
    net = make()
    optimizer = fn.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    step = fn.TrainStep(net, fn.nn.CrossEntropyLoss(), optimizer)
    x, y = random_batch(shape)
    return lambda: step(x, y), step


def seconds(function):
    """Time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def by_kernel(step, repeats):
    """{kernel: (measured, predicted)} of all calls of a step."""
    plan, executor = step._compiled.plan, step._compiled.executor
    rates, found, done = machine_rates(plan.threads), defaultdict(lambda: np.zeros(2)), 0
    for planned in plan.steps:
        calls = range(done, done + len(planned.calls))
        done += len(planned.calls)
        if not calls:
            continue
        times = [seconds(lambda c=calls: executor.run(c.start, c.stop)) for _ in range(repeats)]
        found[planned.calls[0].kernel] += np.median(times), rates.node_seconds(planned.node)
    return found


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=NETS)
    add_thread_counts(parser)
    parser.add_argument("--seconds", type=float, default=4.0, help="of steps for each row")
    parser.add_argument("--kernels", action="store_true")
    options = parser.parse_args()
    print(f"{'net':10s} thr {'predicted':>10s} {'measured':>9s} {'least':>9s} {'ratio':>6s} "
          f"{'apart':>9s} (ms, ns)")
    ratios = []
    for name in options.nets:
        for threads in options.threads:
            fn.set_num_threads(threads)
            run, step = train_step(name)
            run()
            count = max(3, min(50, int(options.seconds / seconds(run))))
            before = apart(threads)
            times = np.array([seconds(run) for _ in range(count)])
            predicted = step._compiled.plan.seconds
            ratios.append(predicted / np.median(times))
            print(f"{name:10s} {threads:3d} {predicted * 1e3:10.2f} {np.median(times) * 1e3:9.2f} "
                  f"{times.min() * 1e3:9.2f} {ratios[-1]:6.3f} "
                  f"{before + ' ' + apart(threads):>9s}", flush=True)
            rows = by_kernel(step, 5) if options.kernels else {}
            for kernel, (got, said) in sorted(rows.items(), key=lambda row: -row[1][0]):
                if got > 0.005 * np.median(times):
                    print(f"  {kernel:32s} {said * 1e3:10.2f} {got * 1e3:9.2f} {said / got:16.3f}")
    print(f"predicted over measured: {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
