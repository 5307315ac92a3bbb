"""The picture of steps or calls of nets: how many times as long as fastnn each mode takes."""

from __future__ import annotations

from typing import Any

from fastnn.picture import COLORS, INK, new_figure, plain, save

RUNS = {"step": "a training step", "inference": "a call in eval mode"}


def save_bars(path: str, report: dict[str, Any]) -> None:
    """Write the picture of a report of `fastnn bench step` or `inference`: a panel for each net.

    Raises ImportError where matplotlib is missing; ValueError; OSError.
    """
    results = report["results"]
    modes = max(len(result["modes"]) for result in results)
    batches = sum(result["net"] == results[0]["net"] for result in results)
    columns = min(-(-3 // batches) * batches, len(results))  # a net's batches are in one row
    rows = -(-len(results) // columns)
    figure = new_figure(1.6 + 3.4 * columns, 0.9 + rows * (0.9 + 0.3 * modes))
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, result in zip(panels.flat, results, strict=False):
        _panel(axes, result)
    for axes in panels.flat[len(results):]:
        axes.set_visible(False)
    machine = report["machine"]
    figure.suptitle(f"Time of {RUNS[report['report']]}, as a multiple of fastnn's: "
                    f"{machine['processor']}, {report['threads']} thread(s), medians of "
                    f"{report['rounds']} rounds\n"
                    "orange: the engine's fastest mode in fp32; hatched: not fp32", fontsize=10)
    save(figure, path)


def _panel(axes: Any, result: dict[str, Any]) -> None:
    names = [mode["mode"] for mode in result["modes"]]
    for place, mode in enumerate(result["modes"]):
        if "error" in mode:
            axes.annotate("failed", (0, place), (4, -3), textcoords="offset points", fontsize=8)
            continue
        times = mode["ratio"]
        best = mode["mode"] == result["fastest"].get(mode["engine"])
        color = COLORS[0] if mode["engine"] == "fastnn" else COLORS[1] if best else "#c3c8cf"
        axes.barh(place, times["median"], color=color, height=0.7, zorder=2,
                  hatch=None if mode["fp32"] else "///", edgecolor="white",
                  xerr=[[times["median"] - times["least"]], [times["most"] - times["median"]]],
                  error_kw={"ecolor": INK, "elinewidth": 0.9, "capsize": 2})
        axes.annotate(f"{times['median']:.2f}", (times["most"], place), (4, -3), fontsize=8,
                      textcoords="offset points")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.18)
    axes.set_title(f"{result['net']}, batch {result['batch']}", fontsize=10)
    plain(axes)
    axes.grid(axis="y", visible=False)
