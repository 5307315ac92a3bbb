"""Do trainers learn alike? The picture of `accuracy`'s runs: a line for each seed, the mean bold.

    python -m bench.studies.curves docs/curves.png accuracy.json
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from bench.studies.options import parser_of
from fastnn.picture import COLORS, new_figure, plain, save

PANELS = {"loss": "training loss", "validation_loss": "validation loss",
          "validation_accuracy": "validation accuracy"}


def draw(runs: list[dict[str, Any]], path: str) -> None:
    """A panel for each quantity; runs without a history are left out."""
    runs = [run for run in runs if "history" in run]
    names = list(dict.fromkeys(run["trainer"] for run in runs))
    figure = new_figure(11, 3.6)
    panels = figure.subplots(1, len(PANELS))
    for axes, (key, title) in zip(panels, PANELS.items(), strict=True):
        for name, color in zip(names, COLORS, strict=False):
            curves = [[epoch[key] for epoch in run["history"]] for run in runs
                      if run["trainer"] == name]
            epochs = range(1, len(curves[0]) + 1)
            for curve in curves:
                axes.plot(epochs, curve, color=color, linewidth=0.6, alpha=0.6)
            mean = [statistics.mean(values) for values in zip(*curves, strict=True)]
            axes.plot(epochs, mean, color=color, linewidth=1.8,
                      label=f"{name}, {len(curves)} seed(s)")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch", fontsize=9)
        plain(axes)
    panels[0].legend(fontsize=8, frameon=False)
    save(figure, path)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("picture")
    parser.add_argument("runs", type=Path, nargs="+", help="JSON files of `accuracy`")
    arguments = parser.parse_args()
    draw([run for file in arguments.runs for run in json.loads(file.read_text())],
         arguments.picture)


if __name__ == "__main__":
    main()
