"""The cores that this process may use: affinity, physical cores and the cgroup's CPU quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def available_cores() -> int:
    """Physical cores that this process may keep busy, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = affinity(0) if affinity else range(os.cpu_count() or 1)
    return max(1, int(min(physical_cores(processors), cpu_quota())))


def physical_cores(
    processors: Iterable[int], folder: str | Path = "/sys/devices/system/cpu"
) -> int:
    """The number of physical cores of these processors; hyper-threads of one core count once.

    A processor about which the system says nothing counts as a core.
    """
    cores = set()
    for processor in processors:
        try:
            siblings = Path(folder, f"cpu{processor}/topology/thread_siblings_list").read_text()
        except OSError:
            siblings = f"{processor}"
        cores.add(siblings.strip())
    return len(cores)


def cpu_quota(process: str | Path = "/proc/self") -> float:
    """Processors that the cgroup of this process may use, of version 2 or 1; infinity if unlimited.

    A group is limited by its own quota and by those of all its ancestors.
    """
    return min((quota for folder in groups(Path(process), "cpu")
                for quota in (_quota_v2(folder), _quota_v1(folder)) if quota is not None),
               default=math.inf)


def groups(process: Path, controller: str) -> Iterator[Path]:
    """Folders of a cgroup controller for this process: its own group, then its ancestors."""
    try:
        memberships = (process / "cgroup").read_text().splitlines()
        mounts = (process / "mountinfo").read_text().splitlines()
    except OSError:
        return
    paths: dict[str, str] = {}  # by type of file system
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            paths["cgroup2"] = path
        elif controller in controllers.split(","):
            paths["cgroup"] = path
    for line in mounts:
        place, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind not in paths or (kind == "cgroup" and controller not in options.split(",")):
            continue
        inside, mounted = place.split(" ")[3:5]
        group = _below(paths[kind], inside)
        yield Path(mounted, group)
        yield from (Path(mounted, parent) for parent in Path(group).parents)


def _below(path: str, root: str) -> str:
    """A group's path below the mounted folder, or that folder itself if the group is not below it.

    A container that has its own group as the root sees the group under a path of the host.
    """
    inside = f"{path}/".startswith(f"{root.rstrip('/')}/") and ".." not in path.split("/")
    return path[len(root.rstrip("/")):].strip("/") if inside else ""


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text())
                         for name in ("quota", "period"))
        return None if quota <= 0 else quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return None
