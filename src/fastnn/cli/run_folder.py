"""The folder of a run: made anew, never written over."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from fastnn.files.write import sweep

WEIGHTS, CHECKPOINT, HISTORY = "weights.safetensors", "checkpoint.safetensors", "history.jsonl"
SETTINGS, CURVES, RESULT = "settings.json", "curves.png", "result.json"


def new_folder(output: str | None, model: str, data: str) -> Path:
    """Make the folder of a new run: `output`, or runs/<model>-<data>-<date>-<time>.

    Raises ValueError if `output` has something in it.
    """
    if output is not None:
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty: name a new folder, or go on with the run in "
                             f"it by --resume {folder}")
        return folder
    words = [re.sub(r"[^\w.-]+", "-", Path(name.partition(":")[0]).stem) for name in (model, data)]
    stem = f"{'-'.join(words)}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in range(1000):
        folder = Path("runs", stem if number == 0 else f"{stem}-{number + 1}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise ValueError(f"runs/{stem} and 999 more exist already")


def old_folder(name: str) -> Path:
    """The folder of a run to go on with; leftovers of a killed process are removed."""
    folder = Path(name)
    if not (folder / SETTINGS).is_file() or not (folder / CHECKPOINT).is_file():
        raise ValueError(f"{folder} has no run to resume: expected {SETTINGS} and {CHECKPOINT}")
    sweep(folder)
    return folder
