"""The roofline picture: how near each operation comes to this machine's limits.

(Williams, Waterman and Patterson, 2009)
"""

from __future__ import annotations

from typing import Any

from fastnn.picture import COLORS, INK, new_figure, plain, save

GROUPS = {  # what an operation is called in the legend, by the beginning of its name
    "convolution": ("conv",), "linear, matmul": ("linear", "matmul", "bmm"),
    "batch norm": ("batch_norm",),
    "pooling": ("max_pool", "avg_pool", "adaptive"), "optimizer": ("optim.",),
    "pointwise and the rest": ("",),
}
MARKERS = {"forward": "o", "backward": "^", "update": "s"}


def group_of(function: str) -> str:
    """The first group that the function belongs to.

    >>> group_of("conv2d>relu"), group_of("tanh")
    ('convolution', 'pointwise and the rest')
    """
    return next(name for name, starts in GROUPS.items() if function.startswith(starts))


def points(report: dict[str, Any]) -> list[dict[str, Any]]:
    """One point for each pass: flop/byte, GFLOP/s, share of the roof above it."""
    return [{"group": group_of(one["function"]), "pass": name, "row": one["row"],
             "intensity": figures["flops"] / figures["bytes"],
             "gflops": figures["flops_per_second"] / 1e9, "share": figures["share"]}
            for one in report["results"] for name, figures in one["passes"].items()
            if figures["flops"] and figures["bytes"]]


def save_roofline(path: str, report: dict[str, Any]) -> None:
    """Write the picture of a report of `fastnn bench ops`.

    Raises ImportError where matplotlib is missing; ValueError; OSError.
    """
    figure = new_figure(10, 6.2)
    axes, spots = figure.subplots(), points(report)
    peak, low = report["peak"], min([spot["intensity"] for spot in spots], default=0.1)
    span = (low / 2, max([spot["intensity"] for spot in spots], default=100) * 2)
    _roof(axes, peak, (span[0], max(span[1], 4 * peak["flops"] / peak["bytes"])))
    for color, group in zip(COLORS, GROUPS, strict=True):
        for name, marker in MARKERS.items():
            chosen = [spot for spot in spots if (spot["group"], spot["pass"]) == (group, name)]
            axes.scatter([spot["intensity"] for spot in chosen],
                         [spot["gflops"] for spot in chosen], s=34, marker=marker, color=color,
                         alpha=0.75, linewidths=0.5, edgecolors="white", zorder=3)
    _legends(axes, {spot["group"] for spot in spots}, {spot["pass"] for spot in spots})
    axes.set_xlabel("intensity: floating-point operations for each byte in or out")
    axes.set_ylabel("GFLOP/s")
    machine = report["machine"]
    figure.suptitle(f"Operations of fastnn against this machine's measured limits: "
                    f"{machine['processor']}, {machine['instruction_set']}, "
                    f"{report['threads']} thread(s)", fontsize=11)
    plain(axes)
    save(figure, path)


def _roof(axes: Any, peak: dict[str, float], span: tuple[float, float]) -> None:
    """min(multiply-adds, bytes x intensity), and half and a tenth of it."""
    corner = peak["flops"] / peak["bytes"]
    where = [span[0], corner, span[1]]
    for share, style in ((1.0, "-"), (0.5, (0, (5, 3))), (0.1, (0, (1, 2)))):
        roof = [min(peak["flops"], peak["bytes"] * x) * share / 1e9 for x in where]
        axes.plot(where, roof, color=INK, linewidth=1.6 if share == 1 else 0.9, linestyle=style,
                  zorder=2)
        axes.annotate(f"{share:.0%}", (span[1], roof[-1]), (4, -3), fontsize=8, color=INK,
                      textcoords="offset points", annotation_clip=False)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(span)
    axes.annotate(f"roof: {peak['flops'] / 1e9:.0f} GFLOP/s of multiply-adds, "
                  f"{peak['bytes'] / 1e9:.1f} GB/s copied", (0.015, 0.96), fontsize=9, color=INK,
                  xycoords="axes fraction")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")


def _legends(axes: Any, groups: set[str], passes: set[str]) -> None:
    from matplotlib.lines import Line2D

    def spot(label: str, color: str, marker: str) -> Any:
        return Line2D([], [], linestyle="", marker=marker, color=color, label=label)

    handles = [spot(group, color, "o") for color, group in zip(COLORS, GROUPS, strict=True)
               if group in groups]
    handles += [spot(name, "#999999", marker) for name, marker in MARKERS.items()
                if name in passes]
    axes.legend(handles=handles, frameon=False, fontsize=9, loc="lower right", ncols=2)
