"""The state of a run as a checkpoint holds it: what is wrong is said, and shortly."""

from typing import Any

import pytest

from fastnn.training.state import check_state

STATE = {"epoch": 0, "batch": 0, "steps": 0, "batches": 0, "first_epoch": 0, "unfinished": False,
         "seconds": 0.0, "averages": {"loss": 0.0, "weight": 0.0, "examples": 0, "right": 0,
                                      "counted": 0},
         "schedule": None, "history": [], "most_examples": None}


@pytest.mark.parametrize(("value", "shown"), [
    ("x" * 58, "'" + "x" * 58 + "', expected"), ("x" * 59, "'" + "x" * 56 + "..., expected"),
    (10**5000, "a huge number, expected"),
], ids=["60 characters", "61 characters", "too many digits"])
def test_what_came_is_shown_shortly(value: Any, shown: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_state({**STATE, "unfinished": value})
    assert f"unfinished is {shown}" in str(caught.value)
