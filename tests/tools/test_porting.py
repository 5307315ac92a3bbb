"""docs/porting.md has the scripts of examples/ as they are, and names that there are."""

import ast
import re
from pathlib import Path

import pytest

import fastnn as fn
from fastnn import nn, optim
from tools.porting import PAGE, current

TEXT = PAGE.read_text()
EXAMPLES = sorted(path.name for path in (Path(__file__).parents[2] / "examples").glob("*.py"))


def test_the_scripts_are_current() -> None:
    assert current(TEXT) == TEXT, "run python -m tools.porting"


def test_every_script_is_on_the_page() -> None:
    assert sorted(re.findall(r"<!-- examples/(\w+\.py) -->", TEXT)) == EXAMPLES


@pytest.mark.parametrize("number", range(TEXT.count("```python")))
def test_blocks_are_python(number: int) -> None:
    ast.parse(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[number])


def test_names_of_the_page_exist() -> None:
    """Those that it writes as `fn.x.y`, `nn.x` and `optim.x`, outside of scripts."""
    words = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    for root, path in re.findall(r"(?<![\w.])(fn|nn|optim)((?:\.[A-Za-z_]\w*)+)", words):
        found = {"fn": fn, "nn": nn, "optim": optim}[root]
        for name in path.strip(".").split("."):
            assert hasattr(found, name), f"{root}{path}"
            found = getattr(found, name)
