"""Search for how much fits: the largest batch, the deepest net, the fewest micro-batches."""

from __future__ import annotations

from collections.abc import Callable


def bracket(holds: Callable[[int], bool], low: int, share: float = 0.0) -> tuple[int, int]:
    """(low, high): two numbers between which a condition turns from false to true.

    holds: false up to some number, true from there on. low >= 1: a number for which it is false.
    The result is 1 apart, or at most `share` of `low`. Doubles `high`, then bisects.

    >>> bracket(lambda number: number * number > 50, 1)
    (7, 8)
    """
    high = 2 * low
    while not holds(high):
        low, high = high, 2 * high
    while high - low > max(1, int(share * low)):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return low, high
