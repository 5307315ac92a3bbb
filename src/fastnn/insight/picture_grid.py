"""A grid of pictures with a text beneath each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arguments import array_of, integer
from fastnn.picture import INK, new_figure, save

CELL = 1.25  # inches, a side of a picture with its margin
LINE = 0.15  # inches, of a line of text
LETTERS = 21  # of a line beneath a picture


def picture_grid(
    x: Any, titles: Sequence[str] | None = None, path: str | None = None,
    columns: int | None = None, colors: Sequence[str] | None = None,
) -> Any:
    """Draw pictures in rows, each with its title beneath; returns matplotlib's figure.

    x: (n, channels, height, width) of 1 or 3 channels, or (n, height, width): bytes, or numbers of
    any range, whose least becomes black and whose largest white, of each picture by itself. titles:
    a text for each, of one or several lines; long ones are shortened. path: also write it there
    (.png, .svg, .pdf). columns: in a row; None for about a square. colors: of the titles.

    Raises TypeError, ValueError for what are no pictures; ImportError without matplotlib.

    >>> figure = picture_grid(np.zeros((6, 1, 8, 8)), ["cat"] * 6, columns=3)
    >>> figure.get_size_inches().round(2).tolist()
    [3.75, 2.8]
    """
    pictures = [_pixels(each) for each in _checked(x)]
    texts = [""] * len(pictures) if titles is None else [_short(title) for title in titles]
    inks = [INK] * len(pictures) if colors is None else list(colors)
    for name, values in (("titles", texts), ("colors", inks)):
        if len(values) != len(pictures):
            raise ValueError(f"{name} are {len(values)}, expected one for each of "
                             f"{len(pictures)} pictures")
    across = min(len(pictures), math.ceil(math.sqrt(len(pictures)))) if columns is None else \
        integer(columns, "columns", "an integer from 1 on", 1)
    rows = math.ceil(len(pictures) / across)
    lines = max(text.count("\n") + 1 if text else 0 for text in texts)
    high = CELL + lines * LINE
    figure = new_figure(CELL * across, high * rows)
    axes = figure.add_subplot()
    for number, (pixels, text, ink) in enumerate(zip(pictures, texts, inks, strict=True)):
        row, column = divmod(number, across)
        left, top = column * CELL, row * high
        box = _box(pixels.shape[0], pixels.shape[1], 0.92 * CELL)
        middle = left + CELL / 2
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=(
            middle - box[1] / 2, middle + box[1] / 2, top + box[0], top))
        axes.text(middle, top + box[0] + 0.03, text, ha="center", va="top", fontsize=7.5,
                  color=ink, linespacing=1.15)
    axes.set(xlim=(0, across * CELL), ylim=(rows * high, -0.04))
    axes.axis("off")
    if path is not None:
        save(figure, path)
    return figure


def _checked(x: Any) -> np.ndarray:
    pictures = array_of(x, "x")
    if pictures.ndim == 3:
        pictures = pictures[:, np.newaxis]
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or 0 in pictures.shape:
        raise ValueError(f"x has shape {pictures.shape}, expected pictures (n, channels, height, "
                         "width) of 1 or 3 channels, or (n, height, width)")
    if pictures.dtype.kind not in "buif":
        raise TypeError(f"x has dtype {pictures.dtype}, expected numbers")
    return pictures


def _pixels(picture: np.ndarray) -> np.ndarray:
    """One picture (height, width) or (height, width, 3) of bytes."""
    if picture.dtype != np.uint8:
        values = np.nan_to_num(picture.astype(np.float64))
        least, span = values.min(), np.ptp(values)
        picture = (255 * (values - least) / (span or 1.0)).round().astype(np.uint8)
    return picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)


def _box(height: int, width: int, side: float) -> tuple[float, float]:
    """(height, width) of a picture of that shape in a square."""
    return side * height / max(height, width), side * width / max(height, width)


def _short(title: str) -> str:
    """Lines of a title, each shortened to fit.

    >>> _short("a name that is much too long for it")
    'a name that is much …'
    """
    return "\n".join(line if len(line) <= LETTERS else f"{line[:LETTERS - 1]}…"
                     for line in str(title).splitlines())
