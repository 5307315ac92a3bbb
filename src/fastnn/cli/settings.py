"""What defines a training run: saved in its folder, read again when it resumes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from fastnn.files.write import replacing

LEARNING_RATES = {"sgd": 0.1, "adam": 0.002, "adamw": 0.002}


@dataclass(frozen=True)
class Settings:
    """The options of `fastnn train`, all filled in."""

    data: str
    model: str
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    momentum: float
    weight_decay: float
    label_smoothing: float
    schedule: str
    shift: int
    flip: bool
    validation: float
    seed: int
    memory_budget: str | None
    accumulate: int | Literal["auto"]
    checkpoint_seconds: float
    checkpoint_batches: int | None

    def write(self, path: Path) -> None:
        """Save as JSON."""
        with replacing(path) as stream:
            stream.write(json.dumps(asdict(self), indent=2).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read what `write` wrote. Raises ValueError that names the file; OSError."""
        try:
            values: Any = json.loads(path.read_text())
            names = {field.name for field in fields(cls)}
            if not isinstance(values, dict) or set(values) != names:
                raise ValueError("not the settings of a run")
        except ValueError as error:
            raise ValueError(f"{path}: expected the settings of a run ({error})") from error
        return cls(**values)
