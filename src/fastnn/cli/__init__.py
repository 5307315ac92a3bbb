"""The command `fastnn`: train, plan, bench, doctor."""

from fastnn.cli.group import main

__all__ = ["main"]
