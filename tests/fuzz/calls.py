"""Call the public functions with arguments that fit and that do not: a result, or a clear error.

    python -m tests.fuzz.calls --count 5000 --seed 1 [--only 17]

A fault is a crash, no end, an error of a kind that is not documented, an error that nobody at
fastnn wrote (NumPy's, Cython's or Python's own from inside), or a model that gives another output
than before. A faulty program is printed whole, as it can be run.
"""

import argparse
import ast
import linecache
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import fastnn as fn
from tests.fuzz.pool import FAULT, Limits, run
from tests.fuzz.programs import SETUP, program

Case = tuple[int, int, str]  # seed, number, working directory
DOCUMENTED = (ValueError, TypeError, ArithmeticError, MemoryError, OSError, LookupError,
              RuntimeError)
LIMITS = Limits(computing=10.0, memory=1 << 30)
# Python's own words on a path; they say what came and what was expected.
CLEAR = ("expected str, bytes or os.PathLike object", "argument should be a str",
         "int() argument must be")
CALL = re.compile(  # and on a call
    r"\(\) (takes|missing|got) .*(argument|positional)|^too many positional")
PROGRAM = "<program>"
SOURCES = str(Path(fn.__file__).parent)
SHOWN = 40


def check(case: Case) -> str:
    """Run one program: "returned", "refused", or a fault."""
    seed, number, folder = case
    os.chdir(folder)
    text = program(random.Random(f"{seed} {number}"))
    names = _setup()
    model, x = names["net"]().eval(), names["x"]
    before = model(x)
    result = result_of(text, names)
    fn.set_num_threads(1)
    fn.set_conv_algorithm("auto")
    if not np.array_equal(before, model(x)):
        result = f"{FAULT}another model's output has changed"
    return f"{result}\n{text}" if result.startswith(FAULT) else result


def _setup() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(SETUP, "<setup>", "exec"), names)
    return names


def result_of(text: str, names: dict[str, Any] | None = None) -> str:
    """How a program ends: "returned", "refused", or a fault."""
    try:
        exec(compile(text, PROGRAM, "exec"), dict(names or _setup()))
    except Exception as error:
        fault = _fault(error)
        if not fault:
            return "refused"
        where = traceback.extract_tb(error.__traceback__)[-3:]
        places = " ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in where)
        return f"{FAULT}{fault}: {type(error).__name__}: {str(error)[:200]} ({places})"
    return "returned"


def _fault(error: Exception) -> str:
    """What is wrong with an error, or nothing."""
    frames = list(traceback.walk_tb(error.__traceback__))
    frame, line = frames[-1]
    filename = frame.f_code.co_filename
    names = [used.f_code.co_filename for used, _ in frames]
    called = names[1 + max((i for i, name in enumerate(names) if name == PROGRAM), default=-1):]
    if filename in (PROGRAM, "<setup>") or not any(name.startswith(SOURCES) for name in called):
        return ""  # what the program itself does, or Python's word on a call
    if not isinstance(error, DOCUMENTED):
        return "not a documented kind"
    if not str(error).strip():
        return "says nothing"
    if isinstance(error, MemoryError):
        return ""  # NumPy's says how much was asked for
    if str(error).startswith(CLEAR) or CALL.search(str(error)):
        return ""
    if isinstance(error, OSError) and error.filename is not None:
        return ""
    return "" if _raises(filename, line, frame) else "nobody at fastnn wrote this"


def _raises(filename: str, line: int, frame: FrameType) -> bool:
    """Whether a line is part of a `raise` of fastnn."""
    if filename.endswith((".pyx", ".pxd")):
        return True  # Cython keeps no lines here; its own errors are of other kinds
    return filename.startswith(SOURCES) and any(
        first <= line <= last for first, last in _raise_lines(filename))


@cache
def _raise_lines(filename: str) -> list[tuple[int, int]]:
    tree = ast.parse("".join(linecache.getlines(filename)))
    return [(node.lineno, node.end_lineno or node.lineno) for node in ast.walk(tree)
            if isinstance(node, ast.Raise)]


def fuzz(count: int, seed: int, only: int | None = None) -> tuple[Counter[str], int]:
    """Run `count` programs; (how they ended, faults). Faults of one place are shown once."""
    ends: Counter[str] = Counter()
    places: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        cases = ((seed, number, folder) for number in (range(count) if only is None else [only]))
        for case, result in run("tests.fuzz.calls:check", cases, LIMITS):
            fault = result.startswith(FAULT)
            ends["fault" if fault else result] += 1
            place = result.partition("\n")[0].rpartition("(")[2]
            places[place] += fault
            if fault and places[place] == 1 and len(places) <= SHOWN:
                text = "" if "\n" in result else "\n" + program(random.Random(f"{seed} {case[1]}"))
                print(f"-- program {case[1]}: {result}{text}", flush=True)
        if places.total():
            print("-- faults by place:", *(f"{count} x {place}" for place, count
                                          in places.most_common() if count), sep="\n")
    return ends, ends["fault"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=5000, help="programs to run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, default=None, help="this program alone")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    ends, faults = fuzz(options.count, options.seed, options.only)
    if faults:
        print(f"-- every program begins with\n{SETUP}")
    print(f"calls: {ends.total()} programs, {ends['returned']} returned, {ends['refused']} "
          f"refused, {faults} faults, {time.monotonic() - started:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
