"""The exit code after Ctrl-C."""

from __future__ import annotations

import click


class Stopped(click.ClickException):
    """Ctrl-C ended the command: one sentence, and exit code 130, as in shells."""

    exit_code = 130
