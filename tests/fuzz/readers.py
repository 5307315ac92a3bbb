"""Read changed files of every kind: they are read or refused in one sentence, and nothing else.

    python -m tests.fuzz.readers --count 3000 --seed 1 [--kind npz] [--only 17]

A fault is a crash, no end, more than 600 MB, an exception that is not documented, a message that
does not name the file or has several lines, or a model, trainer or random state that has changed
although the file was refused.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import cache
from pathlib import Path

from tests.fuzz.kinds import KINDS, Kind
from tests.fuzz.pool import FAULT, run

Case = tuple[str, int, int, str]  # kind, seed, number, where changed files are written
SHOWN = 8  # faults of a kind that are printed


@cache
def _kind(name: str, folder: str) -> Kind:
    return KINDS[name](Path(folder))


def check(case: Case) -> str:
    """Read one changed file: "read", "refused", or a fault."""
    name, seed, number, folder = case
    kind = _kind(name, folder)
    draw = random.Random(f"{name} {seed} {number}")
    kind.change(draw)
    before = kind.state()
    try:
        kind.read(draw)
    except Exception as error:
        if kind.path.suffix == ".py" and _in_file(error, kind.path):
            return "refused"
        if not isinstance(error, kind.errors):
            return f"{FAULT}{kind.path.name}: {_text(error)}"
        wrong = _wrong_message(error, kind)
        if not wrong and kind.state() != before:
            wrong = "the state has changed"
        return f"{FAULT}{kind.path.name}: {wrong}: {_text(error)}" if wrong else "refused"
    return "read"


def _wrong_message(error: Exception, kind: Kind) -> str:
    message = str(error)
    if isinstance(error, FileNotFoundError):  # a settings' file that names another one, say
        return ""
    if kind.path.name not in message and str(kind.folder) not in message:
        return "the message does not name the file"
    if "\n" in message or "Traceback" in message or len(message) > 1000:
        return "the message is not one sentence"
    return ""


def _in_file(error: BaseException, path: Path) -> bool:
    """Whether code of a model's file raised an error."""
    return any(frame.filename == str(path) for frame in traceback.extract_tb(error.__traceback__))


def _text(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:500]} ({place})"


def fuzz(name: str, count: int, seed: int, only: int | None = None) -> tuple[Counter[str], int]:
    """Read `count` changed files of a kind; (how they ended, faults)."""
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        numbers = range(count) if only is None else [only]
        cases = ((name, seed, number, _fresh(Path(folder, "files"))) for number in numbers)
        for case, result in run("tests.fuzz.readers:check", cases):
            fault = result.startswith(FAULT)
            ends["fault" if fault else result] += 1
            if fault and ends["fault"] <= SHOWN:
                print(f"{name} {case[2]}: {result}", flush=True)
    return ends, ends["fault"]


def _fresh(folder: Path) -> str:
    """A folder for the files; a process that takes over from one that crashed makes them anew."""
    folder.mkdir(exist_ok=True)
    return str(folder)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=3000, help="changed files of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default=None, help="this kind alone")
    parser.add_argument("--only", type=int, default=None, help="this file alone")
    options = parser.parse_args(arguments)
    faults = 0
    for name in [options.kind] if options.kind else KINDS:
        started = time.monotonic()
        ends, wrong = fuzz(name, options.count, options.seed, options.only)
        faults += wrong
        print(f"{name}: {ends.total()} files, {ends['read']} read, {ends['refused']} refused, "
              f"{wrong} faults, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
