"""fastnn plan: what a training step will do, and what it needs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fastnn import nn, optim
from fastnn.cli.model import make_model
from fastnn.cli.plan_picture import draw
from fastnn.plan.budget import MemoryBudgetError, format_bytes
from fastnn.plan.plan import Plan
from fastnn.step import TrainStep


@click.command(context_settings={"show_default": True})
@click.option("--model", default="cnn", help="A name, or file.py:factory.")
@click.option("--batch", type=click.IntRange(1), default=128, help="Examples in a batch.")
@click.option("--classes", type=click.IntRange(1), default=10)
@click.option("--channels", type=click.IntRange(1), default=1)
@click.option("--size", type=click.IntRange(1), default=28, help="Height and width of images.")
@click.option("--memory-budget", default=None, show_default=False,
              help="Bytes the process may use, as 512MiB. [default: no limit]")
@click.option("--frontier", is_flag=True, help="Print what each memory budget costs.")
@click.option("--largest-batch", is_flag=True,
              help="Find the most examples in a batch that fit the memory budget.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), default=None,
              show_default=False, help="Draw memory over the step, and time against bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def plan(
    model: str, batch: int, classes: int, channels: int, size: int, memory_budget: str | None,
    frontier: bool, largest_batch: bool, picture: Path | None, as_json: bool,
) -> None:
    """Show the plan of a training step: each operation with its shape, kernels and memory.

    Exit code 1 if the memory budget is too small; the message then says how much is enough.
    """
    net = make_model(model, classes, (channels, size, size))
    step = TrainStep(net, nn.CrossEntropyLoss(),
                     optim.SGD(net.parameters(), lr=0.1, momentum=0.9), memory_budget)
    if largest_batch:
        if memory_budget is None:
            raise click.UsageError("--largest-batch needs a --memory-budget")
        batch = _largest_batch(step, (channels, size, size))
    made = step.plan((batch, channels, size, size))
    if picture is not None:
        draw(made, picture)
    if as_json:
        click.echo(json.dumps({
            "model": model, "batch": batch, "steps": len(made.steps), "threads": made.threads,
            "peak_bytes": made.peak_bytes, "min_bytes": made.min_bytes,
            "baseline_bytes": made.baseline_bytes, "arena_bytes": made.layout.arena_bytes,
            "recomputed": list(made.recomputed), "seconds": made.seconds,
            **({"frontier": made.frontier()} if frontier else {})}))
    elif frontier:
        click.echo(_table(made))
    elif largest_batch:
        click.echo(f"largest batch in {memory_budget}: {batch} examples, peak "
                   f"{format_bytes(made.peak_bytes)}, {batch / made.seconds:.0f} examples/s "
                   "predicted")
    else:
        click.echo(str(made))


def _table(made: Plan) -> str:
    points = made.frontier()
    fastest = points[-1][1]
    rows = [f"{format_bytes(size):>12s} {time * 1e3:10.2f} {time / fastest:8.3f}"
            for size, time in points]
    return "\n".join([f"{'budget':>12s} {'ms a step':>10s} {'relative':>8s}", *rows])


def _largest_batch(step: TrainStep, example: tuple[int, ...]) -> int:
    """The most examples in a batch that fit the step's budget; MemoryBudgetError if not one does.

    Doubles, then halves the interval.
    """
    def fits(batch: int) -> bool:
        try:
            step.plan((batch, *example))
        except MemoryBudgetError:
            return False
        return True

    low, high = 2, 4  # batch norm needs two
    step.plan((low, *example))
    while fits(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 64):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
