"""What the examples of the notebook share: options, the look of pictures, and how they end.

Each example is a script: `python examples/notebook/NAME.py` takes seconds, `--full` is what the
pages of docs/notebook show. It prints a table or draws a picture, and last the figures of its
claim, one a line as `name = value`.
"""

import argparse
import sys
from pathlib import Path

try:
    import matplotlib
except ImportError:
    sys.exit('the examples draw with Matplotlib: pip install ".[notebook]" in the checkout')

matplotlib.use("Agg")

import matplotlib.pyplot as plt

INK = "#333333"
# Colours of falling lightness, and dashes: lines stay apart in grey, and for the colour-blind.
COLORS = ("#1f4e8c", "#d9622b", "#3b9b5f", "#c9a227", "#8e5bb5", "#7f8894")
DASHES = ("-", "--", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)))
LOOK = {
    "figure.dpi": 110, "figure.constrained_layout.use": True, "font.size": 10,
    "axes.titlesize": 11, "axes.titlelocation": "left", "axes.edgecolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": "#e3e3e3", "legend.frameon": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLORS) + matplotlib.cycler(linestyle=DASHES),
}


class Lesson:
    """One example: its options, its picture, and its figures.

    text: the script's docstring. files: what files it takes, if it does, for its help. full:
    whether the settings of the pages were asked for.
    """

    def __init__(self, text, files=None):
        parser = argparse.ArgumentParser(description=text.splitlines()[0])
        parser.add_argument("--full", action="store_true", help="as the pages show it: minutes")
        parser.add_argument("--output", type=Path, default=Path(), metavar="FOLDER",
                            help="where pictures are written; default: here")
        if files:
            parser.add_argument("files", type=Path, nargs="*", help=files)
        options = parser.parse_args()
        self.full, self.folder = options.full, options.output
        self.files = options.files if files else []
        self.name = Path(sys.argv[0]).stem
        plt.rcParams.update(LOOK)

    def choose(self, small, full):
        """A setting: `small` in seconds, `full` for the pages."""
        return full if self.full else small

    def path(self, suffix=".png", part=""):
        """Where to write a file: the script's name, a part's name if it has several, a suffix."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{self.name}{'_' + part if part else ''}{suffix}"

    def figure(self, rows=1, columns=1, width=None, height=None, **options):
        """(figure, axes) in the common look; sizes in inches."""
        size = width or 1 + 3.4 * columns, height or 0.4 + 2.8 * rows
        return plt.subplots(rows, columns, figsize=size, **options)

    def save(self, figure, part=""):
        """Write a figure as PNG."""
        path = self.path(part=part)
        figure.savefig(path)
        plt.close(figure)
        print(f"wrote {path}")

    def end(self, **figures):
        """Print the figures of the claim: numbers, one a line."""
        for name, value in figures.items():
            print(f"{name} = {float(value):.6g}")
