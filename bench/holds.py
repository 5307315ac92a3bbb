"""Whether budgets hold: resident memory of fresh processes against budget and plan, and the bits.

    python -m bench.holds --nets resnet18 mlp --threads 1 2 --budgets 8

The smallest budget is the one that a refusal names (`MemoryBudgetError.min_bytes`). Each row is a
process of its own: some training steps and an evaluation. `measured` is its VmHWM,
`planned` what the plan said before the first step; weights, running statistics and the optimizer's
state after the steps have the same SHA-256 in all rows of a net.
"""

import argparse
import hashlib
import json
import subprocess
import sys

import numpy as np

from bench.plan_nets import FIVE

STEPS = 3
REFUSED = 1 << 20  # a budget for no net


def child(name, budget, threads):
    """Train in this process and print what it took."""
    import fastnn as fn

    fn.manual_seed(0)
    fn.set_num_threads(threads)
    make, shape = FIVE[name]
    net = make()
    optimizer = fn.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    trainer = fn.Trainer(net, fn.nn.CrossEntropyLoss(), optimizer, memory_budget=budget)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    y = rng.integers(0, 10, shape[0])
    try:
        plan = trainer.train_step.plan(shape)
    except fn.MemoryBudgetError as refusal:
        print(json.dumps({"error": str(refusal), "least": refusal.min_bytes}))
        return
    for _ in range(STEPS):
        trainer.train_step(x, y)
    trainer.evaluate((x, y), batch_size=shape[0])
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
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
    command = [sys.executable, "-m", "bench.holds", "--child", name, str(budget), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--nets", nargs="+", default=list(FIVE), choices=FIVE)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--budgets", type=int, default=8)
    options = parser.parse_args()
    if options.child:
        name, budget, threads = options.child
        child(name, None if budget == "None" else int(budget), int(threads))
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
