"""Whole nets, in training steps or in calls in eval mode, fastnn beside other engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.bench.crew import Setting, crew, measure
from fastnn.bench.figures import fastest, ratio, spread
from fastnn.bench.modes import Mode
from fastnn.bench.nets import KNOWN
from fastnn.bench.turns import WorkerError


def measure_net(
    name: str, modes: Sequence[Mode], setting: Setting, batch: int | None = None,
    request: str = "net",
) -> dict[str, Any]:
    """One net in all modes; each has a process for this net alone, so that its peak memory is.

    request: what workers are asked for, "net" (training steps) or "inference" (calls in eval mode).
    """
    net = KNOWN[name]
    with crew(setting, modes) as workers:
        measured = measure(workers, {request: net.request(batch)}, setting)
        sizes = {mode: facts["parameters"] for mode, facts in measured.facts.items()}
        if len(set(sizes.values())) > 1:
            raise WorkerError(f"{name}: the modes have nets of different sizes: {sizes}")
        rounds = {mode: [seconds for each in rounds for seconds in each.values()]
                  for mode, rounds in measured.rounds.items()}
        entries = [entry(worker.mode, worker.version, worker.peak_bytes, rounds, measured.errors)
                   for worker in workers]
    return {"net": name, "batch": batch or net.batch, "example": net.example,
            "parameters": sizes["fastnn"], "runs_per_turn": measured.count, "modes": entries,
            "fastest": {engine: best["mode"] for engine, best in fastest(entries).items()}}


def entry(
    mode: Mode, version: str, peak_bytes: int, rounds: dict[str, list[float]],
    errors: dict[str, str],
) -> dict[str, Any]:
    """The figures of one mode; `ratio` is its time over that of fastnn in the same round."""
    facts = {"mode": mode.name, "engine": mode.engine, "fp32": mode.fp32, "version": version}
    if mode.name in errors:
        return facts | {"error": errors[mode.name]}
    own = rounds[mode.name]
    return facts | {"seconds": spread(own), "ratio": ratio(rounds["fastnn"], own),
                    "peak_bytes": peak_bytes, "rounds": own}


def table(results: Sequence[dict[str, Any]], run: str = "step") -> str:
    """The figures for people; the fastest fp32 mode of each engine is marked.

    run: what one run is called, "step" or "call".
    """
    lines = [f"{'net':14s} {'batch':>5s}  {'mode':34s} {f'ms/{run}':>9s} {'spread':>17s} "
             f"{'x fastnn':>8s} {'spread':>13s} {'peak MB':>8s}"]
    for result in results:
        for mode in result["modes"]:
            head = f"{result['net']:14s} {result['batch']:5d}  {mode['mode']:34s} "
            if "error" in mode:
                lines.append(f"{head}failed: {mode['error']}")
                continue
            seconds, times = mode["seconds"], mode["ratio"]
            best = mode["mode"] == result["fastest"].get(mode["engine"])
            note = "" if mode["fp32"] else "  (not fp32: for information)"
            lines.append(
                f"{head}{seconds['median'] * 1e3:9.3f} "
                f"{seconds['least'] * 1e3:8.3f}-{seconds['most'] * 1e3:<8.3f} "
                f"{times['median']:8.2f} {times['least']:6.2f}-{times['most']:<6.2f} "
                f"{mode['peak_bytes'] / 1e6:8.0f}{'  <- fastest' if best else ''}{note}")
    return "\n".join([*lines, *verdicts(results)])


def verdicts(results: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each net, batch and engine: the fastest fp32 mode against fastnn."""
    lines = []
    for result in results:
        modes = {mode["mode"]: mode for mode in result["modes"]}
        for engine, name in result["fastest"].items():
            times = modes[name]["ratio"]
            lines.append(f"{result['net']}, batch {result['batch']}: fastnn is "
                         f"{times['median']:.2f}x "
                         f"({times['least']:.2f}-{times['most']:.2f}) as fast as the fastest fp32 "
                         f"mode of {engine}, {name}")
    return lines
