"""The state of a run as a checkpoint holds it: what is wrong is said, and shortly."""

from typing import Any

import pytest

from fastnn.training.state import check_options, check_state

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


OWN = {"params": [], "lr": 0.1, "betas": (0.9, 0.999), "name": "sgd", "nesterov": False}


@pytest.mark.parametrize(("name", "value", "message"), [
    ("lr", [0.1], "lr is .*, expected a finite number"),
    ("betas", 0.9, r"betas is 0.9, expected the kind of \(0.9, 0.999\)"),
    ("betas", [0.9], "betas is .*, expected 2 values"),
    ("betas", [0.9, "x"], "betas is 'x', expected a finite number"),
    ("name", ["sgd"], "name is .*, expected the kind of 'sgd'"),
    ("nesterov", 1, "nesterov is 1, expected the kind of False"),
    ("nesterov", [True], "nesterov is .*, expected the kind of False"),
])
def test_options_have_the_kinds_of_the_optimizers_own(
    name: str, value: Any, message: str
) -> None:
    options = {key: value for key, value in OWN.items() if key != "params"}
    check_options({**options, "betas": [0.9, 0.999]}, OWN)
    with pytest.raises(ValueError, match=message):
        check_options({**options, name: value}, OWN)
