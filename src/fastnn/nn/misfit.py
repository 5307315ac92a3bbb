"""How a state dict of another net differs from a module's: names, shapes, and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

SHOWN = 5
COMPARED = 300  # names that a missing one is compared with: thousands would take seconds

Shapes = Mapping[str, Sequence[int] | None]


def misfit(own: Shapes, state: Shapes, strict: bool = True) -> str:
    """What does not fit, in words; empty if all does.

    own, state: the shapes by name; None fits any. strict: whether names on one side alone count.

    >>> misfit({"fc.weight": (2, 3)}, {"fc.weight": (4, 3)})
    'fc.weight has shape (4, 3), expected (2, 3)'
    >>> misfit({"fc.weight": (2, 3)}, {"head.fc.weight": (2, 3)})
    'without fc.weight and with unexpected head.fc.weight; nearest names: fc.weight and \
head.fc.weight'
    """
    missing, unexpected = differences(own, state) if strict else ([], [])
    parts = [f"{what} {_listed(names)}" for what, names in
             (("without", missing), ("with unexpected", unexpected)) if names]
    words = [" and ".join(parts)] if parts else []
    words += [_listed([f"{name} has shape {tuple(state[name] or ())}, expected {tuple(shape)}"
                       for name, shape in own.items() if shape is not None and name in state
                       and tuple(state[name] or ()) != tuple(shape)])]
    nearest = {name: _nearest(name, unexpected) for name in missing[:SHOWN]}
    pairs = ", ".join(f"{name} and {near}" for name, near in nearest.items() if near)
    words += [f"nearest names: {pairs}" if pairs else ""]
    return "; ".join(filter(None, words))


def differences(own: Shapes, state: Shapes) -> tuple[list[str], list[str]]:
    """(names missing in a state, names that a module does not have).

    PyTorch's old files have no count of batches, which is not missed.
    """
    missing = [name for name in own
               if name not in state and not name.endswith("num_batches_tracked")]
    return missing, [name for name in state if name not in own]


def _nearest(name: str, others: list[str]) -> str:
    """The most similar of other names, those with the same last part first."""
    last = name.rpartition(".")[2]
    alike = [other for other in others if other.rpartition(".")[2] == last]
    return next(iter(difflib.get_close_matches(name, (alike or others)[:COMPARED], 1, 0.4)), "")


def _listed(words: list[str]) -> str:
    rest = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + rest
