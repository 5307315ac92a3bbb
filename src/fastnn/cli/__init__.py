"""The command `fastnn`: train, plan, doctor."""

from fastnn.cli.group import main

__all__ = ["main"]
