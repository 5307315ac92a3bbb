"""fastnn summary: the layers of a model."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from fastnn.cli.model import make_model
from fastnn.engine.summary import summary as summary_of


def _shape(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    if value is None:
        return None
    sizes = [part.strip() for part in value.split(",")]
    if len(sizes) not in (1, 3) or not all(part.isdecimal() and int(part) for part in sizes):
        raise click.BadParameter(f"{value!r} is no shape of an example, as 3,64,48 or 20")
    return tuple(map(int, sizes))


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.option("--batch", type=click.IntRange(1), default=1, help="Examples in a batch.")
@click.option("--classes", type=click.IntRange(1), default=10)
@click.option("--channels", type=click.IntRange(1), default=1)
@click.option("--size", type=click.IntRange(1), default=28, help="Height and width of images.")
@click.option("--shape", default=None, show_default=False, callback=_shape, metavar="C,H,W",
              help="Of an example, in place of channels and size: 3,64,48, or 20 features.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def summary(
    model: str, batch: int, classes: int, channels: int, size: int,
    shape: tuple[int, ...] | None, as_json: bool,
) -> None:
    """Show the layers of MODEL, a name or file.py:factory: shapes, parameters, multiply-adds."""
    example = shape or (channels, size, size)
    found = summary_of(make_model(model, classes, example).eval(), (batch, *example))
    click.echo(json.dumps({
        "model": model, "batch": batch, "parameters": found.parameters, "trained": found.trained,
        "multiply_adds": found.multiply_adds, "activation_bytes": found.activation_bytes,
        "layers": [asdict(row) for row in found.rows]}) if as_json else str(found))
