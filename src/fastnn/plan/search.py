"""How much of something fits: the largest batch, the deepest net, the fewest micro-batches."""

from __future__ import annotations

from collections.abc import Callable


def bracket(holds: Callable[[int], bool], low: int, share: float = 0.0) -> tuple[int, int]:
    """(low, high): the numbers between which a condition turns from false to true.

    holds: false up to some number and true from there on; low >= 1: where it is false. They are 1
    apart, or less than a share of `low`. Doubles, then halves the interval.

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
