"""fastnn plan: what a training step will do, and what it needs."""

from __future__ import annotations

import json

import click

from fastnn import nn, optim
from fastnn.cli.model import make_model
from fastnn.step import TrainStep


@click.command(context_settings={"show_default": True})
@click.option("--model", default="cnn", help="A name, or file.py:factory.")
@click.option("--batch", type=click.IntRange(1), default=128, help="Examples in a batch.")
@click.option("--classes", type=click.IntRange(1), default=10)
@click.option("--channels", type=click.IntRange(1), default=1)
@click.option("--size", type=click.IntRange(1), default=28, help="Height and width of images.")
@click.option("--memory-budget", default=None, show_default=False,
              help="Bytes the process may use, as 512MiB. [default: no limit]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def plan(
    model: str, batch: int, classes: int, channels: int, size: int, memory_budget: str | None,
    as_json: bool,
) -> None:
    """Show the plan of a training step: each operation with its shape, kernels and memory.

    Exit code 1 if the memory budget is too small; the message then says how much is enough.
    """
    net = make_model(model, classes, (channels, size, size))
    step = TrainStep(net, nn.CrossEntropyLoss(),
                     optim.SGD(net.parameters(), lr=0.1, momentum=0.9), memory_budget)
    made = step.plan((batch, channels, size, size))
    if as_json:
        click.echo(json.dumps({
            "model": model, "batch": batch, "steps": len(made.steps), "threads": made.threads,
            "peak_bytes": made.peak_bytes, "min_bytes": made.min_bytes,
            "baseline_bytes": made.baseline_bytes, "arena_bytes": made.layout.arena_bytes,
            "recomputed": list(made.recomputed), "seconds": made.seconds}))
    else:
        click.echo(str(made))
