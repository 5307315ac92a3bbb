"""The command `fastnn`: train, summary, plan, bench, doctor."""

from fastnn.cli.group import main

__all__ = ["main"]
