"""fastnn plan: what a training step will do, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click

from fastnn import nn, optim
from fastnn.cli import budget
from fastnn.cli.model import deep_name, make_model
from fastnn.cli.plan_picture import draw
from fastnn.engine.train_step import TrainStep
from fastnn.plan.budget import GROWTH, MemoryBudgetError, format_bytes, resolve
from fastnn.plan.plan import Plan
from fastnn.plan.search import bracket

SHARE = 1 / 64  # of a large batch or depth: the precision of the search


@click.command(context_settings={"show_default": True})
@click.option("--model", default="cnn", help="A name, or file.py:factory.")
@click.option("--batch", type=click.IntRange(1), default=128, help="Examples in a batch.")
@click.option("--classes", type=click.IntRange(1), default=10)
@click.option("--channels", type=click.IntRange(1), default=1)
@click.option("--size", type=click.IntRange(1), default=28, help="Height and width of images.")
@click.option("--memory-budget", default=None, show_default=False, callback=budget.checked,
              help="Bytes the process may use, as 512MiB. [default: no limit]")
@click.option("--frontier", is_flag=True, help="Print what each memory budget costs.")
@click.option("--largest-batch", is_flag=True,
              help="Find the most examples in a batch that fit the memory budget.")
@click.option("--deepest", is_flag=True,
              help="Find the deepest net that fits the memory budget, of --model resnet (6 n + 2 "
                   "layers) or file.py:factory with an argument depth (1, 2, ...).")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), default=None,
              show_default=False, help="Draw memory over the step, and time against bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def plan(
    model: str, batch: int, classes: int, channels: int, size: int, memory_budget: str | None,
    frontier: bool, largest_batch: bool, deepest: bool, picture: Path | None, as_json: bool,
) -> None:
    """Show the plan of a training step: each operation with its shape, kernels and memory.

    Exit code 1 if the memory budget is too small; the message then says how much is enough.
    """
    if largest_batch and deepest:
        raise click.UsageError("--largest-batch and --deepest cannot both be searched for")
    limit = None if memory_budget is None else resolve(memory_budget)
    subject = Subject(model, None, batch, classes, (channels, size, size), limit)
    show = partial(_show, picture=picture, write=(
        partial(_json, frontier=frontier) if as_json else _table if frontier else
        _found if largest_batch or deepest else _steps))
    if not (largest_batch or deepest):
        click.echo(show(subject))
        return
    if limit is None:
        raise click.UsageError(f"--{'deepest' if deepest else 'largest-batch'} needs a "
                               "--memory-budget")
    if deepest:
        click.echo(_of_largest(lambda depth: replace(subject, depth=depth), 1, show))
    else:  # batch norm needs two
        click.echo(_of_largest(lambda batch: replace(subject, batch=batch), 2, show))


@dataclass(frozen=True)
class Subject:
    """What is planned; depth: of a net of a family, or None. budget: in bytes."""

    model: str
    depth: int | None
    batch: int
    classes: int
    example: tuple[int, ...]
    budget: int | None

    @property
    def name(self) -> str:
        """The model's name, with its depth."""
        return self.model if self.depth is None else deep_name(self.model, self.depth)

    def plan(self) -> Plan:
        """Its plan; MemoryBudgetError if none fits."""
        depth = {} if self.depth is None or self.name != self.model else {"depth": self.depth}
        net = make_model(self.name, self.classes, self.example, **depth)
        optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        step = TrainStep(net, nn.CrossEntropyLoss(), optimizer, self.budget)
        return step.plan((self.batch, *self.example))

    def fits(self) -> bool:
        """Whether a plan fits, with a margin: at the next attempt the process may hold more."""
        assert self.budget is not None
        try:
            replace(self, budget=self.budget - GROWTH).plan()
        except MemoryBudgetError:
            return False
        return True


def _of_largest(
    sized: Callable[[int], Subject], least: int, show: Callable[[Subject], str]
) -> str:
    """The report on the largest subject that fits, from a number `least` on.

    Each is tried in a separate process: what one leaves in memory would count for the next.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        number, _ = bracket(lambda n: not fresh.submit(sized(n).fits).result(), least, SHARE)
        return fresh.submit(show, sized(number)).result()


def _show(subject: Subject, picture: Path | None, write: Callable[[Subject, Plan], str]) -> str:
    made = subject.plan()
    if picture is not None:
        draw(made, picture)
    return write(subject, made)


def _steps(subject: Subject, made: Plan) -> str:
    return str(made)


def _json(subject: Subject, made: Plan, frontier: bool) -> str:
    return json.dumps({
        "model": subject.name, "batch": subject.batch, "steps": len(made.steps),
        "threads": made.threads, "peak_bytes": made.peak_bytes, "min_bytes": made.min_bytes,
        "baseline_bytes": made.baseline_bytes, "arena_bytes": made.layout.arena_bytes,
        "recomputed": list(made.recomputed), "seconds": made.seconds,
        **({"depth": subject.depth} if subject.depth is not None else {}),
        **({"frontier": made.frontier()} if frontier else {})})


def _table(subject: Subject, made: Plan) -> str:
    points = made.frontier()
    fastest = points[-1][1]
    rows = [f"{format_bytes(size):>12s} {time * 1e3:10.2f} {time / fastest:8.3f}"
            for size, time in points]
    return "\n".join([f"{'budget':>12s} {'ms a step':>10s} {'relative':>8s}", *rows])


def _found(subject: Subject, made: Plan) -> str:
    limit = format_bytes(subject.budget or 0)
    found = (f"largest batch in {limit}: {subject.batch} examples" if subject.depth is None else
             f"deepest net in {limit}: {subject.name}, depth {subject.depth}")
    return (f"{found}, peak {format_bytes(made.peak_bytes)}, "
            f"{subject.batch / made.seconds:.0f} examples/s predicted")
