"""The processor's name, to tell machines apart."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines
             if line.startswith(("model name", "Model"))]
    return next(iter(names), platform.processor() or platform.machine())
