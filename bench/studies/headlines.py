"""What does a cut of the activations cost in measured time, against keeping everything?

    python -m bench.studies.headlines --net deep --shares 0.1 0.143 --rounds 5

Activations are the arena less the parameters' gradients. Each share of them has a process of its
own, with the memory budget that leaves about so much. `cut` is that of keeping every value over
that of the plan, `autograd` the bytes that PyTorch's autograd saves for the same net over it
(AUTOGRAD). Each round makes a step by every plan in turn; `ratio` is the median over rounds of its
time over that of keeping everything, with the least and the largest. Before and after, a cache line
goes from core to core: 25 to 50 ns where they share the last cache.
"""

import argparse
import json
import time

import numpy as np

import fastnn as fn
from bench.studies.options import add_rounds, add_threads, parser_of
from bench.studies.plan_nets import HEADLINES, random_batch
from bench.studies.processes import StepWorker, serve_steps, start
from fastnn.bench.peak import handover_seconds

# MiB in all storages that torch.autograd.graph.saved_tensors_hooks sees, parameters and the batch
# left out (PyTorch 2.13).
AUTOGRAD = {"deep": 1997.2, "resnet50": 1302.2, "unet": 482.8}
ATTEMPTS, NEAR = 5, 0.01  # at an arena of a size, and how much smaller it may be


def activations(plan):
    """Bytes of the arena beside what is live when parameters change: their gradients."""
    return plan.layout.arena_bytes - plan.layout.live_bytes(len(plan.steps) - 1)


def plan_within(step, shape, whole, arena_bytes):
    """The plan for a budget that leaves an arena of about so many bytes, and no more if it can.

    What a plan takes beside its arena is known once it is made: then the budget moves by as much.
    """
    budget = whole.peak_bytes - whole.layout.arena_bytes + arena_bytes
    for _ in range(ATTEMPTS):
        step.memory_budget = budget
        plan = step.plan(shape)
        left = arena_bytes - plan.layout.arena_bytes
        if 0 <= left <= NEAR * arena_bytes:
            break
        budget += left
    return plan


def work(name, share, threads):
    """A worker: plans within a share of the activations, prints what it planned, makes steps."""
    fn.set_num_threads(threads)
    make, shape = HEADLINES[name]
    net, batch = make(), random_batch(shape)
    optimizer = fn.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    step = fn.TrainStep(net, fn.nn.CrossEntropyLoss(), optimizer)
    plan = whole = step.plan(shape)
    begin = time.perf_counter()
    if share < 1:
        arena_bytes = whole.layout.arena_bytes - (1 - share) * activations(whole)
        try:
            plan = plan_within(step, shape, whole, int(arena_bytes))
        except fn.MemoryBudgetError as refusal:
            raise SystemExit(f"no plan has {share:.3g} of the activations: {refusal}") from None
    print(json.dumps({"activations": activations(plan), "predicted": plan.seconds,
                      "recomputed": plan.recomputed, "planning": time.perf_counter() - begin}),
          flush=True)
    serve_steps(lambda: step(*batch))
    assert step.plan(shape) is plan, "the process grew and was planned anew"


def apart(threads):
    """How far cores are from each other, in nanoseconds."""
    return f"{handover_seconds() * 1e9:.0f}" if threads > 1 else "no"


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--net", choices=HEADLINES, default="deep")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1],
                        help="of the activations of keeping everything")
    add_rounds(parser, 5)
    add_threads(parser)
    parser.add_argument("--recomputed", action="store_true", help="list what is recomputed")
    parser.add_argument("--work", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.net, options.work, options.threads)
        return
    workers, plans = [], []
    for share in (1, *options.shares):
        workers.append(StepWorker(start(__spec__.name, "--net", options.net, "--work", share,
                                        "--threads", options.threads)))
        plans.append(workers[-1].answer())
    before = apart(options.threads)
    for worker in workers:
        worker.seconds(1)
    times = np.array([[worker.seconds(1) for worker in workers] for _ in range(options.rounds)])
    after = apart(options.threads)
    for worker in workers:
        worker.close()
    whole = plans[0]["activations"]
    print(f"{options.net}: keeping all {whole / 2**20:.1f} MiB of activations, "
          f"{np.median(times[:, 0]) * 1e3:.1f} ms, predicted {plans[0]['predicted'] * 1e3:.1f} ms; "
          f"autograd saves {AUTOGRAD[options.net]} MiB; core to core "
          f"{before} ns before, {after} ns after")
    print(f"{'cut':>6s} {'autograd':>8s} {'ms':>9s} {'ratio':>6s} {'least':>6s} {'most':>6s} "
          f"{'predicted':>9s} {'recomputed':>10s} {'planned in':>10s}")
    for plan, column in zip(plans[1:], times.T[1:], strict=True):
        ratios = column / times[:, 0]
        print(f"{whole / plan['activations']:5.2f}x "
              f"{AUTOGRAD[options.net] * 2**20 / plan['activations']:7.2f}x "
              f"{np.median(column) * 1e3:9.1f} {np.median(ratios):6.3f} {ratios.min():6.3f} "
              f"{ratios.max():6.3f} {plan['predicted'] / plans[0]['predicted']:9.3f} "
              f"{len(plan['recomputed']):10d} {plan['planning']:9.2f}s")
        for name in plan["recomputed"] if options.recomputed else ():
            print(f"    {name}")


if __name__ == "__main__":
    main()
