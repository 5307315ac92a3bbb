"""What the figures of a run depend on: the machine, the versions, the load."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

import numpy as np

from fastnn._kernels.dispatch import level
from fastnn.runtime.machine import processor
from fastnn.version import VERSION


def machine() -> dict[str, Any]:
    """Facts for a report."""
    return {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform(),
            "python": platform.python_version(), "numpy": np.__version__,
            "fastnn": VERSION,
            "instruction_set": level(), "load": [round(value, 2) for value in os.getloadavg()],
            "date": datetime.now(UTC).isoformat(timespec="seconds")}


def headline(facts: dict[str, Any], threads: int | None, rounds: int) -> str:
    """The facts in one line."""
    team = f"{threads} thread(s), " if threads else ""
    return (f"{facts['processor']}, {facts['instruction_set']}, {team}{rounds} rounds; "
            f"load at the start {facts['load'][0]:.1f}")
