"""The option --memory-budget: text that is no budget is a usage error."""

from __future__ import annotations

import click

from fastnn.plan.budget import is_auto, parse_bytes


def checked(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The option's value, unchanged; raises BadParameter (exit code 2) for nonsense."""
    if value is not None and not is_auto(value):
        try:
            parse_bytes(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return value
