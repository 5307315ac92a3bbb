"""What a cut of the activations costs in measured time, against keeping everything.

    python -m bench.studies.headlines --net deep --shares 0.1 0.143 --rounds 5

Activations are the arena less the parameters' gradients. `cut` is that of keeping every value over
that of the plan, `autograd` the bytes that PyTorch's autograd saves for the same net over it
(AUTOGRAD). Each round makes a step by every plan in turn; `ratio` is the median over rounds of its
time over that of keeping everything, with the least and the largest. Before and after, a cache line
goes from core to core: 25 to 50 ns where they share the last cache.
"""

import argparse
import time
from unittest import mock

import numpy as np

import fastnn as fn
from bench.studies.plan_nets import HEADLINES
from fastnn.bench.peak import handover_seconds
from fastnn.plan.build import Planner
from fastnn.plan.cost.predict import team_size
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.plan import Plan

# MiB in all storages that torch.autograd.graph.saved_tensors_hooks sees, parameters and the batch
# left out (PyTorch 2.13).
AUTOGRAD = {"deep": 1997.2, "resnet50": 1302.2, "unet": 482.8}


def activations(plan):
    """Bytes of the arena beside what is live when parameters change: their gradients."""
    return plan.layout.arena_bytes - plan.layout.live_bytes(len(plan.steps) - 1)


def build_within(arena_bytes):
    """A stand-in for `plan.build.build`: the fastest plan with an arena of at most so many bytes.

    A budget of the process would count the other plans that take turns with this one.
    """
    def build(graph, threads, memory_budget=None, held=0):
        fused = fuse(graph)
        planner = Planner(fused, team_size(fused, threads))
        planned = planner.fastest(arena_bytes)
        if planned is None:
            raise SystemExit(f"no plan within {arena_bytes / 2**20:.1f} MiB; the least is "
                             f"{planner.smallest_arena / 2**20:.1f} MiB")
        return Plan(planned.graph, planned.steps, planned.layout, planner.threads, planned.again,
                    0, lambda: planner.smallest_arena)
    return mock.patch("fastnn.compiled.build", build)


def apart(threads):
    """How far cores are from each other, in nanoseconds."""
    return f"{handover_seconds() * 1e9:.0f}" if threads > 1 else "no"


def times_in_turns(steps, batch, rounds):
    """Seconds of every step in each round, after one round to warm up."""
    rows = []
    for _ in range(rounds + 1):
        row = []
        for step in steps:
            start = time.perf_counter()
            step(*batch)
            row.append(time.perf_counter() - start)
        rows.append(row)
    return np.array(rows[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=HEADLINES, default="deep")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1],
                        help="of the activations of keeping everything")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="list what runs again")
    options = parser.parse_args()
    fn.set_num_threads(options.threads)
    make, shape = HEADLINES[options.net]
    net = make()
    optimizer = fn.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    rng = np.random.default_rng(0)
    batch = rng.standard_normal(shape, dtype=np.float32), rng.integers(0, 10, shape[0])

    loss = fn.nn.CrossEntropyLoss()  # one for all: a new module would make the plans anew

    def step_with_plan():
        step = fn.TrainStep(net, loss, optimizer)
        start = time.perf_counter()
        return step, step.plan(shape), time.perf_counter() - start

    made = [step_with_plan()]
    whole = made[0][1]
    gradients = whole.layout.arena_bytes - activations(whole)
    for share in options.shares:
        with build_within(int(gradients + share * activations(whole))):
            made.append(step_with_plan())
    before = apart(options.threads)
    times = times_in_turns([step for step, _, _ in made], batch, options.rounds)
    after = apart(options.threads)
    assert all(step.plan(shape) is plan for step, plan, _ in made)
    print(f"{options.net}: keeping all {activations(whole) / 2**20:.1f} MiB of activations, "
          f"{np.median(times[:, 0]) * 1e3:.1f} ms, predicted {whole.seconds * 1e3:.1f} ms; "
          f"autograd saves {AUTOGRAD[options.net]} MiB; core to core "
          f"{before} ns before, {after} ns after")
    print(f"{'cut':>6s} {'autograd':>8s} {'ms':>9s} {'ratio':>6s} {'least':>6s} {'most':>6s} "
          f"{'predicted':>9s} {'again':>5s} {'planned in':>10s}")
    for (_, plan, planning), column in zip(made[1:], times.T[1:], strict=True):
        ratios = column / times[:, 0]
        print(f"{activations(whole) / activations(plan):5.2f}x "
              f"{AUTOGRAD[options.net] * 2**20 / activations(plan):7.2f}x "
              f"{np.median(column) * 1e3:9.1f} {np.median(ratios):6.3f} {ratios.min():6.3f} "
              f"{ratios.max():6.3f} {plan.seconds / whole.seconds:9.3f} "
              f"{len(plan.recomputed):5d} {planning:9.2f}s")
        for name in plan.recomputed if options.again else ():
            print(f"    {name}")


if __name__ == "__main__":
    main()
