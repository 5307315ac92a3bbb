"""What is left of a budget beside a step, and which refusal is raised where plans are several."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastnn.data import Batches
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.training import Callback
from fastnn.training.room import MARGIN, Room, make_all, reading_bytes
from fastnn.training.sources import source

BATCH = (np.ones((4, 3), np.float32), np.ones((4, 2), np.float32))


class Foreign(Callback):
    """A callback of a user, of which nothing is known."""

    def on_batch_end(self, trainer: Any) -> None: ...


def step(limit: int | None = 1 << 30) -> Any:
    allowance = None if limit is None else Allowance(limit)
    return SimpleNamespace(allowance=allowance, rest=lambda: None)


def refusal(least: int) -> Any:
    def make() -> None:
        raise MemoryBudgetError(f"needs {least}", least)
    return make


def test_the_largest_of_several_refusals_is_raised() -> None:
    made = []
    with pytest.raises(MemoryBudgetError, match="needs 30"):
        make_all([refusal(20), refusal(30), lambda: made.append(1), refusal(10)])
    assert made == [1]
    make_all([lambda: made.append(2)])
    assert made == [1, 2]


def test_others_are_the_larger_of_drawing_and_calling_and_what_is_read() -> None:
    known = source(BATCH, 4, False, 0, -100)
    batches = Batches(*BATCH, 4, shuffle=False)
    assert known.working_bytes == batches.bytes_in_place > 0  # type: ignore[attr-defined]
    known.working_bytes = 5000  # type: ignore[attr-defined]
    room = Room(step(), known)
    assert room.others == 5000
    room.draw(iter([BATCH]))
    assert room.others == 5000 + 2 * 32
    assert room.allowance == Allowance(1 << 30, 5064) and room.allowance.others == 5064
    assert Room(step(None), known).allowance is None


def test_what_other_code_takes_is_measured() -> None:
    room = Room(step(), source([BATCH], 4, False, 0, -100), [Foreign()])

    def batches() -> Any:
        taken = np.ones(32 << 20, np.uint8)
        yield BATCH
        del taken

    room.draw(batches())
    drawn = room.others
    assert drawn > (32 << 20) + MARGIN
    with room.calling():
        np.ones(64 << 20, np.uint8).sum()
    assert room.others > (64 << 20) + MARGIN > drawn


@pytest.mark.parametrize(("batch", "expected"), [
    (BATCH, 2 * 32),
    ((BATCH[0].astype(np.float64), BATCH[1]), 4 * 3 * 4 + 2 * 32),
    ((BATCH[0].T, BATCH[1]), 4 * 3 * 4 + 2 * 32),
    (((BATCH[0], BATCH[0].astype(np.float16)), np.ones(4, np.int32)), 4 * 3 * 4 + 3 * 4 * 8),
], ids=["as it is", "float64", "strided", "two inputs and int32"])
def test_what_a_step_copies_of_a_batch(batch: Any, expected: int) -> None:
    assert reading_bytes(batch) == expected
