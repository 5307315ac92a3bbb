"""Try small mistakes in the sources, and say which of them no test notices.

    python -m tools.mutate --minutes 60 --seed 1 src/fastnn/plan src/fastnn/optim

Every mistake is made in a copy of the tree (build/mutate), where the tests that run its lines are
then run. Folders take turns. Needs the extras `test` and `dev`.
`docs/decisions/checking_tests.md` says why it is as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

from tools.mutate.equivalent import Equivalents
from tools.mutate.mutants import Mutant, mutants_of
from tools.mutate.tests_of import Copy, Tests

ROOT = Path(__file__).resolve().parents[2]
FIRST = 20  # tests that are tried before all others are even collected
RESULTS = ("killed", "timeout", "survived")


def main() -> int:
    options = _options()
    copy = Copy(ROOT, ROOT / "build" / "mutate")
    tests = Tests(copy, options.tests)
    equivalents = Equivalents()
    folders = {place: _mutants(copy.tree, place, options, equivalents)
               for place in options.places}
    results = {place: Counter[str]() for place in options.places}
    end = time.monotonic() + 60 * options.minutes
    with suppress(KeyboardInterrupt):  # the table is of what was tried until then
        for place, mutant in _in_turns(folders):
            if time.monotonic() > end:
                break
            result = attempt(copy, tests, mutant, options.test_seconds)
            results[place][result] += 1
            if result == "survived":
                print(f"{mutant}\n", flush=True)
    shares = [_row(place, len(folders[place]), results[place]) for place in options.places]
    for unknown in equivalents.unknown():
        print(f"no longer a mutant, take it from the list:\n{unknown}\n")
    return int(min(shares) < options.at_least / 100)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tools.mutate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="+", help="folders or files under src")
    parser.add_argument("--minutes", type=float, default=60, help="stop after these")
    parser.add_argument("--seed", type=int, default=1, help="of the order of mutants")
    parser.add_argument("--tests", nargs="+", default=["tests", "src"], help="tests to run")
    parser.add_argument("--test-seconds", type=float, default=60,
                        help="of tests for one mutant; the slowest are left out")
    parser.add_argument("--only", default="", help="text that a mutant's place must contain")
    parser.add_argument("--at-least", type=float, default=0, metavar="PERCENT",
                        help="end with 1 if a smaller share is killed in any folder")
    return parser.parse_args()


def _mutants(
    root: Path, place: str, options: argparse.Namespace, equivalents: Equivalents
) -> list[Mutant]:
    """Those of a folder or file, without what is known to change nothing, in random order."""
    path = root / place
    found = []
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        every = mutants_of(file.relative_to(root), file.read_bytes())
        found += [mutant for mutant in every if options.only in str(mutant).split("\n")[0]]
    found = equivalents.without(place, found)
    random.Random(options.seed).shuffle(found)
    return found


def _in_turns(folders: dict[str, list[Mutant]]) -> Iterator[tuple[str, Mutant]]:
    for row in zip_longest(*folders.values()):
        for place, mutant in zip(folders, row, strict=True):
            if mutant is not None:
                yield place, mutant


def attempt(copy: Copy, tests: Tests, mutant: Mutant, most: float) -> str:
    """Make a mistake in the copy and run its tests: killed, timeout or survived."""
    path = copy.tree / mutant.path
    source = path.read_bytes()
    chosen = tests.of(mutant, most)
    path.write_bytes(mutant.apply(source))
    try:
        for part in (chosen[:FIRST], chosen[FIRST:]):
            if not part:
                continue
            _forget_compiled(path)
            timeout = 20 + 4 * tests.seconds(part)
            code, _ = copy.python("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *part,
                                  timeout=timeout)
            if code != 0:
                return "timeout" if code is None else "killed"
        return "survived"
    finally:
        path.write_bytes(source)
        _forget_compiled(path)


def _forget_compiled(path: Path) -> None:
    """Python compares seconds and sizes, and two mutants may have the same."""
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _row(place: str, found: int, results: Counter[str]) -> float:
    tried = sum(results.values())
    share = (tried - results["survived"]) / tried if tried else 1.0
    counts = ", ".join(f"{results[name]} {name}" for name in RESULTS)
    print(f"{place:24s} {found:5d} mutants, {tried:4d} tried: {counts}; {share:.1%}", flush=True)
    return share


if __name__ == "__main__":
    sys.exit(main())
