"""Memory of this process: what it holds, and what the machine and its cgroup allow."""

from __future__ import annotations

import ctypes
import gc
import math
import os
from contextlib import suppress
from pathlib import Path

from fastnn.runtime.cores import groups

# v2 and v1 of the kernel's interface; v1 writes "no limit" as a number near 2**63.
LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
NO_LIMIT = 2**60
M_MMAP_THRESHOLD = -3  # of malloc.h
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_bytes() -> int:
    """Resident memory of this process, as the operating system counts it."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY)  # called in each step: no text, no Path
        try:
            return int(os.read(file, 128).split()[1]) * _PAGE
        finally:
            os.close(file)
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_bytes() -> int:
    """The most memory that this process ever held (VmHWM)."""
    try:
        with open("/proc/self/status", "rb") as status:
            return next(int(line.split()[1]) << 10 for line in status if line[:6] == b"VmHWM:")
    except (OSError, StopIteration):
        return resident_bytes()


def give_back() -> None:
    """Free garbage, and return free memory to the system (with glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_no_large_blocks() -> None:
    """From now on, return large blocks to the system as soon as they are freed (glibc).

    By default, when a block of up to 32 MiB is freed, glibc raises its threshold and keeps such
    blocks from then on, so that free memory accumulates. This fixes the threshold at 128 KiB.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 128 << 10)


def cgroup_bytes(process: str | Path = "/proc/self") -> float:
    """The memory limit of this process's cgroup and its ancestors; infinity if there is none."""
    limits = [math.inf]
    for folder in groups(Path(process), "memory"):
        for name in LIMIT_FILES:
            try:
                limit = int((folder / name).read_text())
            except (OSError, ValueError):  # not there, or "max"
                continue
            if limit < NO_LIMIT:
                limits.append(limit)
    return min(limits)


def machine_bytes(meminfo: str | Path = "/proc/meminfo") -> float:
    """Memory of the machine; infinity if the system does not say."""
    return _meminfo("MemTotal", meminfo)


def available_bytes(
    process: str | Path = "/proc/self", meminfo: str | Path = "/proc/meminfo"
) -> float:
    """What this process can hold: its cgroup's limit, or what it has plus all free memory."""
    limit = cgroup_bytes(process)
    return min(limit, _meminfo("MemAvailable", meminfo) + resident_bytes())


def _meminfo(name: str, path: str | Path) -> float:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return math.inf
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith(name + ":")),
                math.inf)
