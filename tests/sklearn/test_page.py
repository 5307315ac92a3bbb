"""The code of docs/sklearn.md runs as it stands there."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "sklearn.md"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_page_runs(capsys):
    names = {}
    for block in re.findall(r"(?s)```python\n(.*?)```", PAGE.read_text()):
        exec(block, names)
    scores, score = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert all(float(value) > 0.85 for value in re.findall(r"0\.\d+", scores))
    assert float(score) > 0.85
