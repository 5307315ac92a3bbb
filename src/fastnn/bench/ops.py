"""Single operations, forward and backward: rates, shares of this machine's limits, and peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastnn.bench.crew import Measured, Setting, crew, measure
from fastnn.bench.figures import of_limit, ratio, spread
from fastnn.bench.graphs import Work, work
from fastnn.bench.modes import Mode
from fastnn.bench.peak import REPEATS, Meter
from fastnn.bench.rows import Row

Log = Callable[[str], None]


def measure_rows(
    rows: Sequence[Row], modes: Sequence[Mode], setting: Setting, log: Log = lambda text: None
) -> dict[str, Any]:
    """Every row in every mode, and the machine's limits before, between and after them."""
    meter = Meter(setting.threads)
    with crew(setting, modes) as workers:
        versions = {worker.mode.name: worker.version for worker in workers}
        measured = []
        for number, row in enumerate(rows, 1):
            log(f"{number}/{len(rows)} {row.name}")
            meter.sample()
            measured.append(measure(workers, {"row": row.request()}, setting))
    meter.sample(REPEATS)
    peak = meter.rates()
    return {"peak": peak, "versions": versions,
            "results": [result(row, each, peak) for row, each in zip(rows, measured, strict=True)]}


def result(row: Row, measured: Measured, peak: dict[str, float] | None = None) -> dict[str, Any]:
    """The figures of a row."""
    works = work(row)
    passes = {name: one_pass(name, works[name], measured, peak)
              for name in measured.rounds["fastnn"][0] if name in works}
    return {"row": row.name, "function": row.function, "request": row.request(),
            "runs_per_turn": measured.count, "passes": passes, "errors": measured.errors}


def one_pass(
    name: str, todo: Work, measured: Measured, peak: dict[str, float] | None
) -> dict[str, Any]:
    """The figures of a pass: fastnn's time and rates, and each peer's time over fastnn's."""
    rounds = {mode: [each[name] for each in rounds]
              for mode, rounds in measured.rounds.items() if name in rounds[0]}
    own = rounds["fastnn"]
    seconds = spread(own)
    figures: dict[str, Any] = {"flops": todo.flops, "bytes": todo.bytes, "seconds": seconds,
                               "rounds": rounds, "flops_per_second": todo.flops / seconds["median"],
                               "bytes_per_second": todo.bytes / seconds["median"]}
    if peak is not None:
        share, limit = of_limit(todo.flops, todo.bytes, seconds["median"], peak)
        figures |= {"share": share, "limit": limit}
    return figures | {"ratio": {mode: ratio(own, other) for mode, other in rounds.items()
                                if mode != "fastnn"}}


def table(report: dict[str, Any]) -> str:
    """The figures for people."""
    peers = [mode for mode in report["versions"] if mode != "fastnn"]
    peak = report["peak"]
    head = f"{'operation':58s} {'pass':8s} {'ms':>9s} {'spread':>17s} {'GFLOP/s':>8s} " \
           f"{'GB/s':>7s} {'share of':>12s}"
    lines = [f"limits: {peak['flops'] / 1e9:.1f} GFLOP/s of multiply-adds, "
             f"{peak['bytes'] / 1e9:.1f} GB/s copied ({peak['read'] / 1e9:.1f} where only read, "
             f"{peak['written'] / 1e9:.1f} where only written)",
             head + "".join(f"  x {mode:>19s}" for mode in peers)]
    for one in report["results"]:
        for name, figures in one["passes"].items():
            seconds = figures["seconds"]
            lines.append(
                f"{one['row'][:58]:58s} {name:8s} {seconds['median'] * 1e3:9.3f} "
                f"{seconds['least'] * 1e3:8.3f}-{seconds['most'] * 1e3:<8.3f} "
                f"{figures['flops_per_second'] / 1e9:8.1f} "
                f"{figures['bytes_per_second'] / 1e9:7.1f} {figures['share']:5.0%} "
                f"{figures['limit']:6s}" + "".join(_times(figures, mode) for mode in peers))
        lines += [f"{one['row'][:58]:58s} {error}" for error in one["errors"].values()]
    return "\n".join(lines)


def _times(figures: dict[str, Any], mode: str) -> str:
    times = figures["ratio"].get(mode)
    if times is None:
        return f"  {'-':>21s}"
    return f"  {times['median']:8.2f} {times['least']:5.2f}-{times['most']:<6.2f}"
