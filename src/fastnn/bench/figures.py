"""From rounds to figures: medians, spreads, and ratios of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median with the least and the most.

    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'least': 1.0, 'most': 3.0}
    """
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def ratio(own: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """How many times as long `other` took, round by round: above 1, `own` is faster.

    >>> ratio([1.0, 2.0, 1.0], [2.0, 5.0, 3.0])
    {'median': 2.5, 'least': 2.0, 'most': 3.0}
    """
    return spread([theirs / ours for ours, theirs in zip(own, other, strict=True)])


def fastest(modes: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each engine but fastnn, its fastest mode in fp32: {engine: the mode's entry}.

    The one with the lowest ratio to fastnn: ratios of the same round carry less noise than times.
    """
    best: dict[str, dict[str, Any]] = {}
    for mode in modes:
        engine = mode["engine"]
        if engine == "fastnn" or not mode["fp32"] or "error" in mode:
            continue
        if engine not in best or mode["ratio"]["median"] < best[engine]["ratio"]["median"]:
            best[engine] = mode
    return best


def of_limit(
    flops: float, moved: float, seconds: float, peak: dict[str, float]
) -> tuple[float, str]:
    """The share of this machine's limit, and which limit it is: "fma" or "memory".

    The limit is the longer of the time that the operations need at the measured rate of
    multiply-adds, and the time that the bytes need at the measured rate of copies. What stays in
    the caches may go beyond the second.

    >>> of_limit(2e9, 1e6, 0.02, {"flops": 200e9, "bytes": 50e9})
    (0.5, 'fma')
    """
    computing, moving = flops / peak["flops"], moved / peak["bytes"]
    return max(computing, moving) / seconds, "fma" if computing >= moving else "memory"
