"""This machine's rates for the cost model: measured once and cached on disk, or else fixed.

Only budgets and predictions need them. They influence the choice of a plan, never a result.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastnn._kernels.dispatch import level
from fastnn.files.read import read_json
from fastnn.files.write import replacing
from fastnn.plan.cost.predict import CACHE, FIXED, Rates, fixed_rates
from fastnn.runtime.machine import processor
from fastnn.version import VERSION

TIME_LIMIT = 60.0  # seconds for a calibration, which takes about four on an idle machine
MOST_BYTES = 1 << 20  # of a file of rates; a valid one is a few KB at most


def machine_rates(threads: int) -> Rates:
    """The rates of this machine for a number of threads; the same for every process on it.

    The first process that needs them measures them and stores them in $XDG_CACHE_HOME (~/.cache).
    The file's name is a hash of the processor, the instruction set, the threads, the version and
    the kinds of work. Where nothing can be stored or measured, the fixed rates are used.
    """
    return _rates(threads, level(), cache_folder())


@lru_cache(maxsize=16)  # one answer for the life of a process, even if the file changes
def _rates(threads: int, instructions: str, folder: Path) -> Rates:
    facts = [processor(), instructions, str(threads), VERSION, str(CACHE), *FIXED]
    name = sha256("\n".join(facts).encode()).hexdigest()[:16]
    path = folder / f"rates-{name}.json"
    kept = _read(path, threads)
    if kept is None:
        with suppress(OSError, subprocess.SubprocessError):
            _write(path, threads, instructions)
        kept = _read(path, threads)
    return fixed_rates(threads) if kept is None else kept


def cache_folder() -> Path:
    """The folder in which fastnn caches what it measured on a machine."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "fastnn"


def _write(path: Path, threads: int, instructions: str) -> None:
    """Measure and write. If it cannot write it does not measure either: each process would get
    other rates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(_measure(threads, instructions).encode())


def _measure(threads: int, instructions: str) -> str:
    """Rates as JSON, measured in a separate process: a budget counts this one's peak memory."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "fastnn.plan.cost.calibrate", str(threads)], capture_output=True,
        text=True, check=True, timeout=TIME_LIMIT, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path, "FASTNN_ISA": instructions})
    return done.stdout


def _read(path: Path, threads: int) -> Rates | None:
    """The rates in a file; None if it has no valid ones."""
    try:
        content: Any = read_json(path, MOST_BYTES)
        one_thread, team = ({kind: float(content[size][kind]) for kind in FIXED}
                            for size in ("one_thread", "team"))
    except (OSError, ValueError, TypeError, LookupError):
        return None
    sound = all(math.isfinite(rate) and rate >= 0
                for rate in (*one_thread.values(), *team.values()))
    return Rates(threads, one_thread, team) if sound else None
