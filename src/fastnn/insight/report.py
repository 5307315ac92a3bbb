"""What `inspect` found, layer by layer: a table, numbers for a log, and a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fastnn.picture import COLORS, INK, new_figure, plain

HEAD = ("layer", "shape", "mean", "std", "saturated", "dead", "grad std", "weight grad",
        "update/weight")
MOST_HISTOGRAMS = 24


@dataclass(frozen=True)
class Row:
    """The values that one operation of one layer has computed.

    path: of the module; "" for the model. operation: its name. mean, std: of all values. saturated:
    the share of values where an activation is flat; dead: the share of units that are flat for all
    examples; None where it is no activation. grad_std: the standard deviation of the loss's
    gradient in these values. weight_grad_norm: the norm of the gradient of the module's own
    parameters. update_ratio: the norm of their update over their norm. None: not asked for, or not
    there. counts, edges: a histogram of the values.
    """

    path: str
    operation: str
    shape: tuple[int, ...]
    mean: float
    std: float
    saturated: float | None
    dead: float | None
    grad_std: float | None
    weight_grad_norm: float | None
    update_ratio: float | None
    counts: np.ndarray = field(repr=False)
    edges: np.ndarray = field(repr=False)

    @property
    def name(self) -> str:
        """path: operation."""
        return f"{self.path}: {self.operation}" if self.path else self.operation


@dataclass(frozen=True)
class Report:
    """The rows in the order of computation; `str` gives a table, `plot()` a picture.

    loss: None where no targets were given.
    """

    rows: tuple[Row, ...]
    loss: float | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, path: str) -> Row:
        """The last row of a module, as "2.conv", or of one of its operations, as "2.conv: relu"."""
        for row in reversed(self.rows):
            if path in (row.path, row.name):
                return row
        raise KeyError(f"no layer {path!r}; there are {', '.join(row.name for row in self.rows)}")

    def to_dict(self) -> dict[str, float]:
        """Numbers by "layer: operation/figure", for a log; the loss by "loss"."""
        found = {} if self.loss is None else {"loss": self.loss}
        for row in self.rows:
            for name, value in asdict(row).items():
                if isinstance(value, float):
                    found[f"{row.name}/{name}"] = value
        return found

    def __str__(self) -> str:
        lines = [HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
        text = ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width)
                          in enumerate(zip(line, widths, strict=True))) for line in lines]
        return "\n".join([text[0], "-" * len(text[0]), *text[1:]])

    def plot(self) -> Any:
        """A matplotlib Figure: a histogram of each row's values.

        Of more than 24 rows, activations alone are drawn, or as many as fit. Raises ImportError
        that says how to install matplotlib.
        """
        rows = list(self.rows)
        if len(rows) > MOST_HISTOGRAMS:
            rows = [row for row in rows if row.saturated is not None] or rows
        rows = rows[:MOST_HISTOGRAMS]
        columns = min(4, len(rows))
        figure = new_figure(3 * columns, 2.1 * math.ceil(len(rows) / columns))
        for place, row in enumerate(rows):
            axes = figure.add_subplot(math.ceil(len(rows) / columns), columns, place + 1)
            axes.stairs(row.counts / max(row.counts.sum(), 1), row.edges, fill=True,
                        color=COLORS[0])
            axes.set_title(row.name, fontsize=9, loc="left", color=INK)
            note = f"mean {row.mean:.2g}, std {row.std:.2g}"
            if row.dead is not None:
                note += f"\nsaturated {row.saturated:.0%}, dead {row.dead:.0%}"
            axes.set_xlabel(note, fontsize=8)
            axes.tick_params(labelsize=7)
            plain(axes)
        return figure


def _cells(row: Row) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3g}"

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    return (row.name, str(row.shape), number(row.mean), number(row.std), share(row.saturated),
            share(row.dead), number(row.grad_std), number(row.weight_grad_norm),
            number(row.update_ratio))
