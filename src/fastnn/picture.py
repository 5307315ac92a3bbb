"""What pictures share: their look, and how they are written. Matplotlib is imported late."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from fastnn.files.write import replacing

INK, GRID = "#333333", "#e3e3e3"
COLORS = ("#2a6fbb", "#d9622b", "#3b9b5f", "#8e5bb5", "#c9a227", "#6b7280")
HELP = 'pictures need matplotlib: pip install "fastnn[plot]"'


def new_figure(width: float, height: float) -> Any:
    """An empty figure. Raises ImportError that says how to install matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(HELP) from error
    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def plain(axes: Any) -> None:
    """No more lines than are needed."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Any, path: str) -> None:
    """Write the figure in the format that the file's name says; PNG without one."""
    picture = io.BytesIO()
    kind = Path(path).suffix.removeprefix(".") or "png"
    if kind not in figure.canvas.get_supported_filetypes():
        raise ValueError(f"{path}: expected a name that ends in .png, .svg or .pdf")
    figure.savefig(picture, format=kind)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(picture.getvalue())
