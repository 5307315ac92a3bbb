"""The mutants of a piece of code, and the list of those that change nothing."""

import ast
from pathlib import Path

import pytest

import fastnn
from tools.mutate.equivalent import Equivalents
from tools.mutate.mutants import mutants_of

SOURCE = '''
"""Numbers in docstrings stay: 3."""
LEAST = 2


@dataclass(frozen=True)
class Point:
    x: float = 0.5

    def near(self, others: list[int], most=7, *, strict: bool = True) -> bool:
        assert len(others) > 1
        total, found = 0, f"{most + 1}"
        for other in reversed(others):
            if other is None or not self.x < most:
                continue
            total += min(other, -1)
            self.last = [y for y in other if y]
        call(a=found, b=strict)
        return total
'''
EXPECTED = [
    ("module", "LEAST = 2", "LEAST = (3)"),
    ("Point", "x: float = 0.5", "x: float = (1.5)"),
    ("Point.near", "most=7", "most=(8)"),
    ("Point.near", "strict: bool = True", "strict: bool = (False)"),
    ("Point.near", "total, found = 0", "total, found = (1)"),
    ("Point.near", "reversed(others)", "(list(others))"),
    ("Point.near", "other is None or not self.x < most",
     "(not (other is None or not self.x < most))"),
    ("Point.near", "other is None or not self.x < most", "(other is None and (not self.x < most))"),
    ("Point.near", "other is None or not self.x < most", "(other is None)"),
    ("Point.near", "other is None or not self.x < most", "(not self.x < most)"),
    ("Point.near", "other is None or", "(other is not None) or"),
    ("Point.near", "not self.x < most", "(self.x < most)"),
    ("Point.near", "not self.x < most", "not (self.x <= most)"),
    ("Point.near", "continue", "break"),
    ("Point.near", "total += min(other, -1)", "pass"),
    ("Point.near", "total += min(other, -1)", "total -= min(other, -1)"),
    ("Point.near", "min(other, -1)", "(max(other, -1))"),
    ("Point.near", "-1", "(1)"),
    ("Point.near", "-1", "-(2)"),
    ("Point.near", "self.last = [y for y in other if y]", "pass"),
    ("Point.near", "if y]", "if True]"),
    ("Point.near", "call(a=found, b=strict)", "pass"),
    ("Point.near", "call(a=found, b=strict)", "(call(b=strict))"),
    ("Point.near", "call(a=found, b=strict)", "(call(a=found))"),
    ("Point.near", "return total", "return None"),
]


def test_all_mutants_of_a_piece_of_code():
    found = mutants_of(Path("point.py"), SOURCE.encode())
    assert len(found) == len(EXPECTED)
    for function, old, new in EXPECTED:
        fitting = [mutant for mutant in found if mutant.function == function
                   and mutant.before.replace(old, new, 1) == mutant.after]
        assert len(fitting) == 1, (old, new)


def test_lines_that_a_test_must_run():
    found = {mutant.text: mutant for mutant in mutants_of(Path("point.py"), SOURCE.encode())}
    lines = SOURCE.splitlines()
    body = range(11, len(lines) + 1)
    assert found["(3)"].lines == range(1, len(lines) + 1) and found["(3)"].name == "LEAST"
    assert found["(8)"].lines == body  # a default is read wherever the function runs
    assert found["return None"].lines == range(len(lines), len(lines) + 1)
    assert found["(other is None)"].lines == range(14, 15)


@pytest.mark.parametrize("name", ["plan/build.py", "plan/fusion/spread.py", "cli/doctor.py"])
def test_every_mutant_is_another_program(name):
    path = Path(fastnn.__file__).parent / name
    source = path.read_bytes()
    before, seen = ast.dump(ast.parse(source)), set()
    for mutant in mutants_of(path, source):
        after = ast.dump(ast.parse(mutant.apply(source)))
        assert after != before and after not in seen
        seen.add(after)


def test_what_changes_nothing_is_left_out_for_a_reason():
    mutants = mutants_of(Path("point.py"), SOURCE.encode())
    known = Equivalents("point.py module\n    - LEAST = 2\n    + LEAST = (3)\n    why\n\n"
                        "point.py Point\n    all of it, why\n\n"
                        "point.py gone\n    - a\n    + b\n    why\n\nother.py x\n    why")
    rest = known.without("point.py", mutants)
    assert len(rest) == len(mutants) - 2
    assert {mutant.function for mutant in rest} == {"Point.near"}
    assert known.unknown() == ["point.py gone\n    - a\n    + b\n    why"]
    with pytest.raises(ValueError, match="needs a reason"):
        Equivalents("point.py module\n    - a\n    + b")


def test_the_list_has_a_reason_for_each():
    assert Equivalents().without("src", []) == []
