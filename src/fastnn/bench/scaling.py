"""How times fall as threads are added: nets and operations at 1, 2, 4, ... threads, in turns.

Each number of threads has a worker of its own. A speed-up compares times of the same round; shares
are of what this machine reaches at that number of threads, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastnn.bench import peak
from fastnn.bench.crew import Setting, measure
from fastnn.bench.figures import of_limit, ratio, spread
from fastnn.bench.graphs import Work, work
from fastnn.bench.modes import FASTNN
from fastnn.bench.nets import KNOWN, make
from fastnn.bench.rows import Row
from fastnn.bench.turns import Worker
from fastnn.engine.train_step import TrainStep
from fastnn.nn.classification_losses import CrossEntropyLoss
from fastnn.optim import SGD


@dataclass(frozen=True)
class Subject:
    """What is measured: its name, what a worker is asked for, and the work of each pass."""

    name: str
    request: dict[str, Any]
    works: dict[str, Work]


def thread_counts(most: int) -> list[int]:
    """1, 2, 4, ... and the largest.

    >>> thread_counts(6)
    [1, 2, 4, 6]
    """
    return sorted({*(1 << power for power in range(most.bit_length())), most})


def net(name: str, batch: int | None = None) -> Subject:
    """A net's training step; its operations are counted as direct sums, without Winograd."""
    request = KNOWN[name].request(batch)
    model = make(name)
    step = TrainStep(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.0))
    graph = step.plan((request["batch"], *request["example"])).graph
    flops = sum(node.op.flops(node) for node in graph.nodes)
    return Subject(f"{name}, batch {request['batch']}", {"net": request}, {"step": Work(flops, 0)})


def operation(row: Row) -> Subject:
    """A row of the operations, forward and backward."""
    return Subject(row.name, {"row": row.request()}, work(row))


def measure_scaling(
    subjects: Sequence[Subject], counts: Sequence[int], setting: Setting
) -> Iterator[dict[str, Any]]:
    """The figures of each subject's passes, one subject after the other."""
    limits = {count: peak.measure(count) for count in counts}
    workers: list[Worker] = []
    try:
        for count in counts:
            mode = replace(FASTNN, name=str(count))
            workers.append(replace(setting, threads=count).worker(mode))
        for subject in subjects:
            rounds = measure(workers, subject.request, setting).rounds
            for name in rounds[str(counts[0])][0]:
                if name in subject.works:
                    yield {"subject": subject.name, "pass": name, "points": _points(
                        {count: [each[name] for each in rounds[str(count)]] for count in counts},
                        subject.works[name], limits)}
    finally:
        for worker in workers:
            worker.close()


def _points(
    rounds: dict[int, list[float]], todo: Work, limits: dict[int, dict[str, float]]
) -> list[dict[str, Any]]:
    """Seconds, speed-up over one thread and share of the limit, for each number of threads."""
    one = rounds[min(rounds)]
    points = []
    for count, own in rounds.items():
        seconds = spread(own)
        share, limit = of_limit(todo.flops, todo.bytes, seconds["median"], limits[count])
        points.append({"threads": count, "seconds": seconds, "speedup": ratio(own, one),
                       "share": share, "limit": limit})
    return points


def table(results: Sequence[dict[str, Any]]) -> str:
    """The figures for people."""
    lines = [f"{'subject':50s} {'pass':8s} {'threads':>7s} {'ms':>9s} {'speed-up':>8s} "
             f"{'spread':>11s} {'efficiency':>10s} {'share of':>12s}"]
    for result in results:
        for point in result["points"]:
            speedup = point["speedup"]
            lines.append(
                f"{result['subject'][:50]:50s} {result['pass']:8s} {point['threads']:7d} "
                f"{point['seconds']['median'] * 1e3:9.3f} {speedup['median']:8.2f} "
                f"{speedup['least']:5.2f}-{speedup['most']:<5.2f} "
                f"{speedup['median'] / point['threads']:10.0%} {point['share']:5.0%} "
                f"{point['limit']}")
    return "\n".join(lines)
