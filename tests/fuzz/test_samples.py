"""A sample of what `.ci/nightly` does in numbers, the same every time; and that it finds faults."""

import os
import time
from pathlib import Path

import pytest

from tests.fuzz import calls, kills, readers
from tests.fuzz.kinds import KINDS
from tests.fuzz.pool import FAULT, Limits, run


@pytest.mark.parametrize("kind", KINDS)
def test_changed_files(kind: str) -> None:
    ends, faults = readers.fuzz(kind, 40, seed=0)
    assert ends.total() == 40 and faults == 0


def test_calls() -> None:
    ends, faults = calls.fuzz(150, seed=0)
    assert ends.total() == 150 and faults == 0
    assert min(ends["returned"], ends["refused"]) > 10, "both kinds of programs were there"


def test_kills() -> None:
    assert kills.main(["--count", "3", "--seed", "0", "--jobs", "1"]) == 0


# The pool, the demands and the reader of half-written files must be able to fail.


def behave(case: str) -> str:
    """What a case does to its process."""
    if case == "crash":
        os.abort()
    if case == "hang":
        while True:
            pass
    if case == "wait":
        time.sleep(60)
    if case == "greed":
        bytearray(1 << 30)
    if case == "raise":
        raise KeyError("unrelated")
    return case


@pytest.mark.parametrize(("case", "words"), [
    ("crash", "ended with -6"), ("hang", "no end after"), ("wait", "no end after"),
    ("greed", "MemoryError"), ("raise", "KeyError")])
def test_the_pool_finds_what_must_not_be(case: str, words: str) -> None:
    limits = Limits(computing=0.5, waiting=5.0, memory=200 << 20)
    results = dict(run("tests.fuzz.test_samples:behave", [case, "fine"], limits))
    assert results[case].startswith(FAULT) and words in results[case]
    assert results["fine"] == "fine", "the next case has a process of its own"


@pytest.mark.parametrize(("text", "words"), [
    ("[].x", ""), ("raise ValueError('of the program')", ""),  # of the program itself
    ("np.zeros(2).reshape(3)", ""),
    ("fn.data.load('nowhere.npz')", ""), ("fn.nn.Dropout(2)", ""),
    ("m = net()\nm.forward = None\nm(x)", "nobody at fastnn wrote this")])
def test_errors_of_others_are_found(text: str, words: str) -> None:
    result = calls.result_of(text)
    assert result.startswith(f"{FAULT}{words}") if words else result == "refused"


def test_a_half_written_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"a": 1}')
    kills.check_whole(path)
    path.write_text('{"a": ')
    with pytest.raises(kills.Fault, match=r"result\.json was seen half-written"):
        kills.check_whole(path)
