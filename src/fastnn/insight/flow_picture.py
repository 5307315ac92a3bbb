"""A drawing of a small graph from left to right, with two texts on each edge.

Places stand in columns, each as far right as it must be and leaves as far right as they can. An
edge over several columns goes through a free row of each. Rows are ordered by where neighbours
stand (Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from fastnn.picture import COLORS, INK, new_figure

Key = tuple[int, int]  # a place (number, -1), or an edge in a column that it passes (edge, column)
Ends = Sequence[tuple[int, int]]
Spot = tuple[float, float]  # (column, row)
SWEEPS = 12
HIGH = 0.85  # of a row, in inches


def draw(places: Sequence[tuple[str, bool]], edges: Sequence[tuple[int, int, str, str]]) -> Any:
    """A matplotlib Figure. places: (label, is a leaf). edges: (source, target, above, below)."""
    ends = [edge[:2] for edge in edges]
    columns = _columns(len(places), [leaf for _, leaf in places], ends)
    paths = _paths(columns, ends)
    spots = _spots(columns, paths)
    xs, ys = [spot[0] for spot in spots.values()], [spot[1] for spot in spots.values()]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    wide = 1.3 + 0.05 * max(len(text) for edge in edges for text in edge[2:])  # of a column
    figure = new_figure(wide * (width + 1.1), HIGH * (height + 1.4))
    axes = figure.add_subplot()
    axes.set(xlim=(min(xs) - 0.55, max(xs) + 0.55), ylim=(min(ys) - 0.7, max(ys) + 0.7))
    axes.axis("off")
    boxes = [_box(axes, spots[number, -1], *place) for number, place in enumerate(places)]
    known: dict[tuple[int, int], int] = {}  # edges so far between the same places
    for path, (source, target, above, below) in zip(paths, edges, strict=True):
        side = known[source, target] = known.get((source, target), 0) + 1
        many = ends.count((source, target))
        bend = 0.35 * (side - (many + 1) / 2)
        points = [spots[key] for key in path]
        for place, (start, end) in enumerate(itertools.pairwise(points)):
            is_last = place == len(points) - 2
            axes.annotate("", end, start, zorder=1, arrowprops={
                "arrowstyle": "-|>" if is_last else "-", "color": "#8a8f98", "linewidth": 1.0,
                "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0,
                "patchA": None if place else boxes[source],
                "patchB": boxes[target] if is_last else None})
        (x0, y0), (x1, y1) = points[-2:]
        middle = (x0 + x1) / 2, (y0 + y1) / 2 - 0.5 * bend * (wide / HIGH)
        for text, color, where in ((above, COLORS[0], "bottom"), (below, COLORS[1], "top")):
            axes.text(*middle, text, ha="center", va=where, fontsize=8, color=color, zorder=4,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})
    axes.set_title("value above, gradient below", loc="right", fontsize=8, color="#6b7280")
    return figure


def _box(axes: Any, spot: Spot, label: str, leaf: bool) -> Any:
    """Draw a place; the box around its label."""
    style = "round,pad=0.35" if leaf else "round,pad=0.35,rounding_size=0.9"
    text = axes.text(*spot, label.replace(": ", ":\n", 1), ha="center", va="center", fontsize=9,
                     color=INK, zorder=3, bbox={
                         "boxstyle": style, "facecolor": "#eef1f5" if leaf else "white",
                         "edgecolor": INK, "linewidth": 0.9})
    return text.get_bbox_patch()


def _columns(count: int, leaves: Sequence[bool], ends: Ends) -> list[int]:
    """The column of each place; places are numbered in the order of computation."""
    columns = [0] * count
    for source, target in sorted(ends, key=lambda pair: pair[1]):
        columns[target] = max(columns[target], columns[source] + 1)
    for number in range(count):
        readers = [columns[target] for source, target in ends if source == number]
        if leaves[number] and readers:
            columns[number] = min(readers) - 1
    return columns


def _paths(columns: Sequence[int], ends: Ends) -> list[list[Key]]:
    """For each edge where it passes, from its source to its target."""
    return [[(source, -1), *((edge, column) for column in range(columns[source] + 1,
                                                               columns[target])), (target, -1)]
            for edge, (source, target) in enumerate(ends)]


def _spots(columns: Sequence[int], paths: Sequence[Sequence[Key]]) -> dict[Key, Spot]:
    """Where everything stands, rows around 0."""
    stacks: dict[int, list[Key]] = {}
    for number, column in enumerate(columns):
        stacks.setdefault(column, []).append((number, -1))
    for path in paths:
        for edge, column in path[1:-1]:
            stacks[column].append((edge, column))
    near: dict[Key, list[Key]] = {}
    for path in paths:
        for one, other in itertools.pairwise(path):
            near.setdefault(one, []).append(other)
            near.setdefault(other, []).append(one)
    rows = {key: float(place) for stack in stacks.values() for place, key in enumerate(stack)}
    for sweep in range(SWEEPS):
        for column in sorted(stacks, reverse=bool(sweep % 2)):
            stack = stacks[column]
            stack.sort(key=lambda key: sum(rows[other] for other in near.get(key, [key]))
                       / len(near.get(key, [key])))
            for place, key in enumerate(stack):
                rows[key] = place - (len(stack) - 1) / 2
    return {key: (float(column), -rows[key]) for column, stack in stacks.items() for key in stack}
