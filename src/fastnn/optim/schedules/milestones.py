"""The times at which a schedule changes its ways."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from fastnn.arguments import real

MOST = 100_000  # more are no milestones, but an iterable that may never end


def milestones_of(given: Any) -> list[float]:
    """The numbers of a list, a range, an array or another iterable, as they come.

    >>> milestones_of(range(30, 90, 30))
    [30.0, 60.0]
    """
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        raise TypeError(f"milestones must be a list of numbers, got {given!r:.60}")
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ValueError(f"milestones must have one axis, got an array of shape {given.shape}")
    found = list(islice(given, MOST + 1))
    if len(found) > MOST:
        raise ValueError(f"milestones has more than {MOST:,} numbers, or never ends")
    return [real(one, "a milestone", "a number from 0 on", 0) for one in found]
