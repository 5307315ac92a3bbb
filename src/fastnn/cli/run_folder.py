"""The folder of a run: always new, never overwritten, used by one process at a time."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from fastnn.files.regular import check_regular
from fastnn.files.write import sweep

WEIGHTS, CHECKPOINT, HISTORY = "weights.safetensors", "checkpoint.safetensors", "history.jsonl"
SETTINGS, CURVES, RESULT, LOCK = "settings.json", "curves.png", "result.json", ".lock"
EVENTS = "tensorboard"


def new_folder(output: str | None, model: str, data: str) -> Path:
    """Make the folder of a new run: `output`, or runs/<model>-<data>-<date>-<time>."""
    if output is not None:
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
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


def check_empty(folder: Path) -> None:
    """Raise ValueError if a folder contains anything but our lock."""
    sweep(folder)
    if any(path.name != LOCK for path in folder.iterdir()):
        raise ValueError(f"{folder} is not empty: name a new folder, or go on with the run in "
                         f"it by --resume {folder}")


def check_run(folder: Path) -> None:
    """Raise ValueError unless a folder has a run that can be resumed."""
    if not (folder / SETTINGS).exists() or not (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} has no run to resume: expected {SETTINGS} and {CHECKPOINT}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, this process holds the lock of a run folder.

    The lock ends with the process in any case. The locked file only says who holds it, and is
    removed at the end. On file systems without locks, other processes are not excluded.

    Raises ValueError that names the process which has the run; OSError.
    """
    path = folder / LOCK
    descriptor = _open_locked(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            check_regular(os.fstat(descriptor).st_mode, path)
            _lock(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink:  # its last holder did not just remove it
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
        raise ValueError(f"{path.parent} belongs to {holder}, which trains in it: wait until it "
                         "ends, or stop it") from error
    except OSError:  # no locks on this file system
        pass
