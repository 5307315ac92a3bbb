"""Pictures of a plan: memory during a step, and time against bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastnn.picture import new_figure, save
from fastnn.plan.plan import Plan

MIB = 2**20


def draw(plan: Plan, path: Path) -> None:
    """Write both pictures side by side to a file.

    Left: bytes of the arena in use at each operation, recomputations shaded. Right: predicted
    time of a step for each memory budget, this plan marked. Raises ImportError without Matplotlib;
    OSError.
    """
    figure = new_figure(11, 4)
    memory, frontier = figure.subplots(1, 2)
    _memory(memory, plan)
    _frontier(frontier, plan)
    save(figure, str(path))


def _memory(axes: Any, plan: Plan) -> None:
    live = np.array([plan.layout.live_bytes(i) for i in range(len(plan.steps))]) / MIB
    kept, recomputed, workspace = _parts(plan)
    steps = np.arange(len(live))
    axes.stackplot(
        steps, kept / MIB, recomputed / MIB, workspace / MIB, step="mid", linewidth=0,
        labels=("kept", "recomputed", "workspace"), colors=("#4878a8", "#e0904a", "#c8c8c8"))
    peak = int(live.argmax())
    axes.plot([peak], [live[peak]], "kv", markersize=5,
              label=f"peak {live[peak]:.0f} MiB")
    axes.axvline(plan.graph.first_update, color="0.6", linewidth=0.8)
    axes.set(xlabel="operation", ylabel="MiB of the arena",
             title=f"memory over a step, {len(plan.recomputed)} operations recomputed")
    axes.legend(loc="upper right", framealpha=0.9, edgecolor="none", fontsize=8)


def _parts(plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes at each step of values of first runs, of recomputed values, and of workspace."""
    count = len(plan.steps)
    kept, recomputed, workspace = (np.zeros(count + 1) for _ in range(3))
    recomputed_steps = set(plan.recomputed_steps)
    storages = {id(s): s for s in plan.layout.storages.values()}.values()
    for storage in storages:
        into = recomputed if storage.first in recomputed_steps else kept
        into[storage.first:min(storage.last, count - 1) + 1] += storage.bytes
    for storage in plan.layout.workspaces.values():
        workspace[storage.first] += storage.bytes
    return kept[:count], recomputed[:count], workspace[:count]


def _frontier(axes: Any, plan: Plan) -> None:
    points = plan.frontier()
    fastest = points[-1][1]
    axes.step([size / MIB for size, _ in points],
              [time / fastest for _, time in points], where="post", color="#4878a8")
    axes.plot([plan.peak_bytes / MIB], [plan.seconds / fastest], "o",
              color="#e0904a", label="this plan")
    axes.set(xlabel="memory budget, MiB of the process",
             ylabel="time of a step, keeping everything = 1", title="what a budget costs")
    axes.legend(frameon=False, fontsize=8)
