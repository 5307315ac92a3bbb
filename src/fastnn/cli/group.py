"""The group of commands; errors are shown as one sentence, without a traceback."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from fastnn.cli.stopped import Stopped
from fastnn.version import VERSION

COMMANDS = ("bench", "doctor", "evaluate", "export", "plan", "predict", "summary",
            "train")  # each a module of that name
EXPECTED = (ValueError, TypeError, OSError, ArithmeticError, MemoryError, ImportError)


class Commands(click.Group):
    """Turn the errors of fastnn's contract into one sentence and exit code 1.

    Only the command that runs is imported: under a memory budget the others' code would count.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"fastnn.cli.{name}"), name)
        return found

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except KeyboardInterrupt as interrupt:
            raise Stopped("stopped") from interrupt
        except EXPECTED as error:
            raise click.ClickException(sentence(error)) from error


def sentence(error: BaseException) -> str:
    """What went wrong, on one line.

    >>> sentence(FileNotFoundError(2, "No such file or directory", "x.npz"))
    'x.npz: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="fastnn")
def main() -> None:
    """Train convolutional nets on CPUs: fast, in a memory budget, exactly repeatable."""
