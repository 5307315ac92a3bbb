"""The picture of `fastnn bench scaling`: speed-up over threads, and the share of the limits."""

from __future__ import annotations

from typing import Any

from fastnn.picture import COLORS, INK, new_figure, plain, save

STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # colours repeat with another style
MARKERS = "osD^vP"


def save_curves(path: str, report: dict[str, Any]) -> None:
    """Write the picture of a report: a line for each pass, in two panels.

    Raises ImportError where matplotlib is missing; ValueError; OSError.
    """
    results = report["results"]
    figure = new_figure(11, 4.6 + 0.12 * max(len(results) - 8, 0))
    speed, share = figure.subplots(1, 2)
    for number, result in enumerate(results):
        points = result["points"]
        threads = [point["threads"] for point in points]
        look = {"color": COLORS[number % len(COLORS)], "markersize": 4,
                "linestyle": STYLES[number // len(COLORS) % len(STYLES)],
                "marker": MARKERS[number % len(MARKERS)], "linewidth": 1.4}
        label = result["subject"] if result["pass"] == "step" else (
            f"{result['subject']}, {result['pass']}")
        times = [point["speedup"] for point in points]
        speed.errorbar(threads, [each["median"] for each in times], label=label[:48],
                       yerr=[[each["median"] - each["least"] for each in times],
                             [each["most"] - each["median"] for each in times]],
                       capsize=2, elinewidth=0.8, **look)
        share.plot(threads, [point["share"] for point in points], **look)
    counts = [point["threads"] for point in results[0]["points"]]
    speed.plot(counts, counts, color=INK, linewidth=0.9, zorder=1)
    speed.annotate("all threads at full speed", (counts[-1], counts[-1]), (-4, 4), fontsize=8,
                   textcoords="offset points", ha="right", color=INK)
    _axes(speed, counts, "times as fast as one thread")
    _axes(share, counts, "share of this machine's limit at so many threads")
    share.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    share.set_ylim(0)
    figure.legend(*speed.get_legend_handles_labels(), frameon=False, fontsize=8,
                  loc="outside right upper")
    machine = report["machine"]
    figure.suptitle(f"Threads: {machine['processor']}, {machine['instruction_set']}, medians of "
                    f"{report['rounds']} rounds", fontsize=10)
    save(figure, path)


def _axes(axes: Any, counts: list[int], label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, counts)
    axes.minorticks_off()
    axes.set_xlabel("threads")
    axes.set_ylabel(label)
    plain(axes)
