"""Where does the time of a training step go? Each kernel call timed by itself.

    python -m bench.studies.profile_step resnet20 --threads 2 --calls 15

Times are the least of some repeats: what the kernel takes when nothing disturbs it. The sum is a
little more than a step takes, as every call is entered from Python here.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import fastnn as fn
from bench.studies.options import add_threads, parser_of
from fastnn.bench.nets import KNOWN, LEARNING_RATE, MOMENTUM, make
from fastnn.bench.serve import batch_for


@dataclass(frozen=True)
class Timed:
    """One kernel call: where it comes from, what it costs, and its least time."""

    kernel: str
    layer: str
    shape: str
    flops: float
    bytes: float
    seconds: float


def profile(name: str, repeats: int) -> tuple[list[Timed], float]:
    """Every call of the net's step, and the least time of whole steps."""
    x, y = batch_for(KNOWN[name].request())
    model = make(name)
    optimizer = fn.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    step(x, y)
    compiled = step._compiled
    assert compiled is not None
    program, count = compiled.executor.program, compiled.executor.count
    spent: list[list[float]] = [[] for _ in range(count)]
    whole = []
    for _ in range(repeats):
        start = time.perf_counter()
        step(x, y)
        whole.append(time.perf_counter() - start)
        for number in range(count):
            start = time.perf_counter()
            program.run(number, number + 1)
            spent[number].append(time.perf_counter() - start)
    least = map(min, spent)
    calls = []
    for planned in compiled.plan.steps:
        node = planned.node
        moved = float(sum(tensor.bytes for tensor in (*node.inputs, *node.outputs)))
        shape = "x".join(map(str, node.outputs[0].shape)) if node.outputs else "-"
        for call in planned.calls:
            calls.append(Timed(call.kernel, node.scope or "-", shape,
                               node.op.flops(node), moved, next(least)))
    return calls, min(whole)


def by_kernel(calls: list[Timed]) -> str:
    """A row for each kernel, the dearest first."""
    groups: dict[str, list[Timed]] = defaultdict(list)
    for call in calls:
        groups[call.kernel].append(call)
    total = sum(call.seconds for call in calls)
    rows = [f"{'kernel':28s} {'calls':>5s} {'ms':>9s} {'share':>6s} {'GFLOP/s':>8s} {'GB/s':>7s}"]
    for kernel, group in sorted(groups.items(), key=lambda kv: -sum(c.seconds for c in kv[1])):
        seconds = sum(call.seconds for call in group)
        rows.append(f"{kernel:28s} {len(group):5d} {seconds * 1e3:9.3f} {seconds / total:6.1%} "
                    f"{sum(c.flops for c in group) / seconds / 1e9:8.1f} "
                    f"{sum(c.bytes for c in group) / seconds / 1e9:7.1f}")
    return "\n".join(rows)


def by_call(calls: list[Timed], most: int) -> str:
    """The dearest single calls."""
    rows = [f"{'kernel':28s} {'layer':24s} {'shape':>18s} {'ms':>9s} {'GFLOP/s':>8s}"]
    for call in sorted(calls, key=lambda call: -call.seconds)[:most]:
        rows.append(f"{call.kernel:28s} {call.layer:24s} {call.shape:>18s} "
                    f"{call.seconds * 1e3:9.3f} {call.flops / call.seconds / 1e9:8.1f}")
    return "\n".join(rows)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("net", choices=list(KNOWN))
    add_threads(parser)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--calls", type=int, default=0, help="also list that many single calls")
    arguments = parser.parse_args()
    fn.set_num_threads(arguments.threads)
    calls, whole = profile(arguments.net, arguments.repeats)
    print(f"{arguments.net}, batch {KNOWN[arguments.net].batch}, {arguments.threads} threads: "
          f"{whole * 1e3:.3f} ms a step, {sum(c.seconds for c in calls) * 1e3:.3f} ms in calls")
    print(by_kernel(calls))
    if arguments.calls:
        print(by_call(calls, arguments.calls))


if __name__ == "__main__":
    main()
