"""Split examples off for validation."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import integer, real
from fastnn.engine.nesting import flat, like


def split_off(data: Any, share: Any) -> tuple[Any, Any]:
    """(data to train on, data held out): the last examples of arrays, neither of them copied.

    data: a tuple of arrays. share: above 0 and below 1, rounded up to whole examples as Keras
    does; or the number of examples.

    Raises TypeError for other data, ValueError if nothing is left to train on.

    >>> import numpy as np
    >>> training, held_out = split_off((np.zeros((5, 2)), np.arange(5)), 0.3)
    >>> training[1], held_out[1]
    (array([0, 1, 2]), array([3, 4]))
    """
    if not isinstance(data, tuple):
        raise TypeError(f"validation={share} splits arrays (x, y), got {type(data).__name__}; give "
                        "other data for validation as such")
    lengths = {len(part) for part in flat(data)}
    if len(lengths) != 1:
        raise ValueError(f"the arrays differ in their numbers of examples: {sorted(lengths)}")
    examples = lengths.pop()
    if isinstance(share, bool):
        raise TypeError(f"validation must be a share, a number of examples, or data, got {share}")
    if isinstance(share, (float, np.floating)):
        share = real(share, "validation", "a share above 0 and below 1", 0, 1, above=0)
        kept = int(examples * (1 - share))
    else:
        kept = examples - integer(share, "validation", "a number of examples from 1 on", 1)
    if not 0 < kept < examples:
        raise ValueError(f"validation={share} of {examples} examples leaves {max(kept, 0)} to "
                         "train on")
    parts = flat(data)
    return (like(data, [part[:kept] for part in parts]),
            like(data, [part[kept:] for part in parts]))
