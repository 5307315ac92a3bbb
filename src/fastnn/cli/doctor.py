"""fastnn doctor: what this machine offers and what fastnn uses."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from threadpoolctl import threadpool_info

from fastnn._kernels.dispatch import lanes, level, levels
from fastnn.plan.budget import format_bytes
from fastnn.runtime.cores import available_cores
from fastnn.runtime.pinning import warnings
from fastnn.runtime.threads import get_num_threads
from fastnn.version import VERSION

PACKAGES = ("numpy", "scipy", "threadpoolctl", "click", "rich",
            "matplotlib", "pillow")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def doctor(as_json: bool) -> None:
    """Show versions, processor, threads, BLAS, caches and huge pages, and what costs speed."""
    import scipy.linalg.cython_blas  # noqa: F401  loads the BLAS to be shown

    facts: dict[str, dict[str, Any]] = {
        "versions": _versions(), "processor": _processor(), "memory": _memory(), "blas": _blas(),
        "environment": _environment()}
    advice = warnings(get_num_threads(), available_cores(), os.environ)
    if as_json:
        click.echo(json.dumps({**facts, "advice": advice}, indent=2))
        return
    for title, entries in facts.items():
        click.echo(title)
        for name, value in entries.items():
            click.echo(f"  {name.replace('_', ' '):20s} {_text(value)}")
    for sentence in advice:
        click.echo(f"note: {sentence}")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not there" if value is None else str(value)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"fastnn": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _processor() -> dict[str, Any]:
    affinity = getattr(os, "sched_getaffinity", None)
    return {"model": _cpu_model(), "machine": platform.machine(),
            "instruction_set": level(), "lanes": lanes(), "available_sets": levels(),
            "nodes": max(1, len(list(Path("/sys/devices/system/node").glob("node[0-9]*")))),
            "processors": os.cpu_count(), "cores_available": available_cores(),
            "usable": len(affinity(0)) if affinity else os.cpu_count(),
            "threads": get_num_threads(), "caches": _caches()}


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _caches() -> list[str]:
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = _read(folder / "type")
        mark = {"Data": "d", "Instruction": "i"}.get(kind, "")
        found.append(f"L{_read(folder / 'level')}{mark} {_read(folder / 'size')}")
    return found


def _memory() -> dict[str, Any]:
    sizes = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name in ("MemTotal", "MemAvailable") and value.split()[0].isdigit():
            sizes[name] = int(value.split()[0]) * 1024
    limit = _read("/sys/fs/cgroup/memory.max")
    pages = _read("/sys/kernel/mm/transparent_hugepage/enabled")
    return {"total": format_bytes(sizes.get("MemTotal", 0)),
            "available": format_bytes(sizes.get("MemAvailable", 0)),
            "cgroup_limit": format_bytes(int(limit)) if limit.isdigit() else None,
            "huge_pages": pages.partition("[")[2].partition("]")[0] or None}


def _blas() -> dict[str, Any]:
    return {Path(entry["filepath"]).name.partition("-")[0]:
            f"{entry['internal_api']} {entry['version']} "
            f"({entry.get('architecture', 'unknown')}), {entry['num_threads']} threads outside "
            "fastnn's kernels"
            for entry in threadpool_info() if entry["user_api"] == "blas"}


def _environment() -> dict[str, str]:
    names = ("FASTNN_ISA", "FASTNN_DATA", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES",
             "GOMP_CPU_AFFINITY", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS")
    return {name: os.environ.get(name, "not set") for name in names}


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
