"""The command `fastnn`: train, evaluate, predict, export, summary, plan, bench, doctor."""

from fastnn.cli.group import main

__all__ = ["main"]
