"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.picture import INK, new_figure, save

WRITTEN = 30  # classes up to which values are written into cells
NAMED = 60  # classes up to which all are named
DARK = 0.55  # share of a row from which on text is white


def draw(
    values: np.ndarray, names: Sequence[str] | None, path: str | None, axes: Any
) -> Any:
    """Draw values (classes, classes) of a `ConfusionMatrix`; arguments as of its `plot`."""
    classes = len(values)
    named = [str(i) for i in range(classes)] if names is None else [str(name) for name in names]
    if len(named) != classes:
        raise ValueError(f"names are {len(named)}, the matrix has {classes} classes")
    longest = max(map(len, named))
    if axes is None:
        side = min(1.6 + 0.38 * classes, 12.0)
        figure = new_figure(side + 0.07 * longest + 0.4, side + 0.05 * longest)
        axes = figure.add_subplot()
    rows = values.sum(axis=1, keepdims=True)
    shares = np.divide(values, rows, out=np.zeros(values.shape), where=rows != 0)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if classes <= WRITTEN:
        _write(axes, values, shares)
    ticks = np.arange(0, classes, 1 if classes <= NAMED else -(-classes // NAMED))
    size = 8 if classes <= 25 else 5
    axes.set_xticks(ticks, [named[i] for i in ticks], fontsize=size, ha="right", rotation=45,
                    rotation_mode="anchor")
    axes.set_yticks(ticks, [named[i] for i in ticks], fontsize=size)
    axes.tick_params(length=0)
    axes.set(xlabel="predicted", ylabel="actual")
    axes.spines[:].set_color("#b8bcc4")
    axes.figure.colorbar(shown, ax=axes, label="share of the row", shrink=0.8, pad=0.02)
    if path is not None:
        save(axes.figure, path)
    return axes.figure


def _write(axes: Any, values: np.ndarray, shares: np.ndarray) -> None:
    counts = values.dtype.kind in "iu"
    size = 8 if len(values) <= 12 and (not counts or values.max() < 10_000) else 6
    for (row, column), value in np.ndenumerate(values):
        if value:
            axes.text(column, row, str(value) if counts else f"{value:.2g}", ha="center",
                      va="center", fontsize=size,
                      color="white" if shares[row, column] > DARK else INK)
