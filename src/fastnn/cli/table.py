"""Tables in the terminal: of the terminal's width, or as wide as they need in a file or pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def show(
    head: Sequence[str], rows: Iterable[Sequence[Any]], sides: str, title: str | None = None,
) -> None:
    """Print a table to standard output.

    sides: of each column "l", to the left, or "r", to the right; the last is that of all others.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False,
                  title_style="bold")
    for number, name in enumerate(head):
        side = sides[min(number, len(sides) - 1)]
        table.add_column(Text(name), justify="left" if side == "l" else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        wide = console.options.update(width=10_000)
        console = Console(width=max(80, Measurement.get(console, wide, table).maximum + 2),
                          highlight=False)
    console.print(table)
