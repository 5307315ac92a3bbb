"""An option that names a file to be written, whose ending says its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

PICTURES = (".png", ".svg", ".pdf")


class Ending(click.Path):
    """A path of a file that ends in one of `suffixes`; all else is a usage error."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self.suffixes = suffixes

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        path = super().convert(value, param, ctx)
        if isinstance(path, Path) and path.suffix not in self.suffixes:
            self.fail(f"{str(value)!r}: expected a name that ends in {', '.join(self.suffixes)}",
                      param, ctx)
        return path
