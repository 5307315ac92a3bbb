"""Draw a history as a picture, in a separate process.

Matplotlib takes about 50 MiB, more than the training of many small nets, and would otherwise count
towards the memory budget.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastnn.files.regular import Path as AnyPath
from fastnn.files.write import replacing

TRAINING, VALIDATION, GRID = "#2a6fbb", "#d9622b", "#e3e3e3"
WITHOUT_MATPLOTLIB = 3  # exit code
HELP = 'the curves need matplotlib: pip install "fastnn[plot]"'


def save_curves(
    path: AnyPath, history: Sequence[dict[str, Any]], title: str = "", test: float | None = None
) -> None:
    """Write a picture (PNG) of loss and accuracy over the epochs, for training and validation.

    history: what `Trainer.fit` returns. title: above the picture. test: test accuracy, a line.

    Raises ImportError that says how to install matplotlib; OSError.
    """
    root = str(Path(__file__).parents[2])
    search = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "fastnn.training.curves"], capture_output=True,
        input=json.dumps([list(history), title, test]).encode(),
        env=os.environ | {"PYTHONPATH": search, "MPLBACKEND": "Agg"})
    if done.returncode == WITHOUT_MATPLOTLIB:
        raise ImportError(HELP)
    if done.returncode:
        raise OSError(f"the curves cannot be drawn: {done.stderr.decode().strip()[-500:]}")
    with replacing(path) as stream:
        stream.write(done.stdout)


def picture(history: Sequence[dict[str, Any]], title: str = "", test: float | None = None) -> bytes:
    """The picture as PNG. Raises ImportError."""
    from matplotlib.figure import Figure

    panels = [name for name in ("loss", "accuracy") if name in history[0]]
    figure = Figure(figsize=(4.8 * len(panels), 3.8), dpi=130, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _panel(axes, history, name)
        if name == "accuracy" and test is not None:
            axes.axhline(test, color="#444444", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            axes.annotate(f"test {test:.4f}", (0.02, test), (0, 3), color="#444444", fontsize=9,
                          xycoords=axes.get_yaxis_transform(), textcoords="offset points")
    if title:
        figure.suptitle(title, fontsize=11)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    return drawn.getvalue()


def _panel(axes: Any, history: Sequence[dict[str, Any]], name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [record["epoch"] for record in history]
    for label, key, color in (("training", name, TRAINING),
                              ("validation", f"validation_{name}", VALIDATION)):
        if key in history[0]:
            axes.plot(epochs, [record[key] for record in history], color=color, label=label,
                      linewidth=1.8, marker="o", markersize=3.5)
    axes.set_xlabel("epoch")
    axes.set_title(name, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _main() -> None:
    try:
        drawn = picture(*json.load(sys.stdin))
    except ImportError:
        sys.exit(WITHOUT_MATPLOTLIB)
    sys.stdout.buffer.write(drawn)


if __name__ == "__main__":
    _main()
