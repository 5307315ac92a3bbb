"""Do budgets hold? Resident memory of fresh processes against budget and plan, and the bits.

    python -m bench.studies.holds --nets resnet18 mlp --threads 1 2 --budgets 8

The smallest budget is the one that a refusal names (`MemoryBudgetError.min_bytes`). Each row is a
process of its own: some training steps and an evaluation. `measured` is its VmHWM,
`planned` what the plan said before the first step; weights, running statistics and the optimizer's
state after the steps have the same SHA-256 in all rows of a net.
"""

import argparse
import hashlib
import json

import numpy as np

import fastnn as fn
from bench.studies.options import add_thread_counts, parser_of
from bench.studies.plan_nets import FIVE, random_batch
from bench.studies.processes import figures
from fastnn.runtime.process_memory import peak_bytes

STEPS = 3
REFUSED = 1 << 20  # a budget for no net


def work(name, budget, threads):
    """Train in this process and print what it took."""
    fn.manual_seed(0)
    fn.set_num_threads(threads)
    make, shape = FIVE[name]
    net = make()
    optimizer = fn.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    trainer = fn.Trainer(net, fn.nn.CrossEntropyLoss(), optimizer, memory_budget=budget)
    x, y = random_batch(shape)
    try:
        plan = trainer.train_step.plan(shape)
    except fn.MemoryBudgetError as refusal:
        print(json.dumps({"error": str(refusal), "least": refusal.min_bytes}))
        return
    for _ in range(STEPS):
        trainer.train_step(x, y)
    trainer.evaluate((x, y), batch_size=shape[0])
    peak = peak_bytes()
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(np.ascontiguousarray(value))
    for parameter in net.parameters():
        for value in optimizer.state[id(parameter)].values():
            digest.update(np.ascontiguousarray(value))
    print(json.dumps({"planned": plan.peak_bytes, "measured": peak,
                      "recomputed": len(plan.recomputed), "sha": digest.hexdigest()[:12]}))


def run(name, budget, threads):
    """The figures of a fresh process."""
    return figures(__spec__.name, "--work", name, budget, threads)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--nets", nargs="+", default=list(FIVE), choices=FIVE)
    add_thread_counts(parser)
    parser.add_argument("--budgets", type=int, default=8)
    options = parser.parse_args()
    if options.work:
        name, budget, threads = options.work
        work(name, None if budget == "None" else int(budget), int(threads))
        return
    print(f"{'net':10s} thr {'budget':>8s} {'measured':>8s} {'planned':>8s} {'error':>6s} "
          f"{'again':>5s} sha256        (MiB)")
    held = runs = 0
    worst, digests = 0.0, {}
    for name in options.nets:
        for threads in options.threads:
            free = run(name, None, threads)
            least = run(name, REFUSED, threads)["least"]
            span = np.linspace(least, free["planned"] * 1.05, options.budgets - 1)
            for budget in (None, *reversed([int(size) for size in span])):
                row = free if budget is None else run(name, budget, threads)
                runs += 1
                if "error" in row:
                    print(f"{name:10s} {threads:3d} {budget / 2**20:8.1f} {row['error']}")
                    continue
                held += budget is None or row["measured"] <= budget
                error = row["planned"] / row["measured"] - 1
                worst = max(worst, abs(error))
                digests.setdefault(name, set()).add(row["sha"])
                size = "none" if budget is None else f"{budget / 2**20:.1f}"
                print(f"{name:10s} {threads:3d} {size:>8s} {row['measured'] / 2**20:8.1f} "
                      f"{row['planned'] / 2**20:8.1f} {error:+6.1%} {row['recomputed']:5d} "
                      f"{row['sha']}", flush=True)
    same = all(len(each) == 1 for each in digests.values())
    print(f"held {held} of {runs}; planned within {worst:.1%} of measured; "
          f"bits {'the same' if same else 'DIFFER'} at every budget and number of threads")


if __name__ == "__main__":
    main()
