"""Mutants that change nothing a test could see, each with its reason: `equivalent.txt`.

An entry is a file and a function, the line before and after, and the reason; or a whole function:

    src/fastnn/plan/build.py Planner.fastest
        - for point in reversed(points):
        + for point in (list(points)):
        why it is the same
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tools.mutate.mutants import Mutant

LIST = Path(__file__).with_name("equivalent.txt")
BEFORE, AFTER = "    - ", "    + "
Key = tuple[str, ...]


class Equivalents:
    """The list; what is asked of it is remembered, to find what is there no more."""

    def __init__(self, text: str | None = None) -> None:
        text = LIST.read_text() if text is None else text
        self._entries = {_key(entry.split("\n")): entry
                         for entry in text.strip().split("\n\n") if entry}
        self._asked: list[str] = []
        self._met: set[Key] = set()

    def without(self, place: str, mutants: Iterable[Mutant]) -> list[Mutant]:
        """The mutants of a place that are not in the list."""
        self._asked.append(place)
        rest = []
        for mutant in mutants:
            where = f"{mutant.path} {mutant.function}"
            known = {(where,), (where, mutant.before, mutant.after)} & self._entries.keys()
            self._met |= known
            if not known:
                rest.append(mutant)
        return rest

    def unknown(self) -> list[str]:
        """Entries of the places asked for that fit no mutant."""
        return [entry for key, entry in self._entries.items()
                if key not in self._met and key[0].startswith(tuple(self._asked))]


def _key(lines: list[str]) -> Key:
    where, *rest = lines
    if len(rest) > 2 and rest[0].startswith(BEFORE) and rest[1].startswith(AFTER):
        return where, rest[0][len(BEFORE):], rest[1][len(AFTER):]
    if not rest or any(line.startswith((BEFORE, AFTER)) for line in rest):
        raise ValueError(f"an entry needs a reason, and both lines or none: {lines}")
    return (where,)
