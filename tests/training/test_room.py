"""What is left of a budget beside a step, and which refusal is raised where plans are several."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastnn import nn
from fastnn.data import Batches
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.training import Callback, ProgressBar
from fastnn.training.evaluation import Evaluation
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


def test_three_batches_are_measured_with_a_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest of them, an eighth more, and a mebibyte; the arena rests meanwhile."""
    rests: list[int] = []
    taken = iter([8000, 16000, 4000, 80000])

    @contextmanager
    def growth() -> Iterator[Any]:
        yield SimpleNamespace(bytes=next(taken))

    monkeypatch.setattr("fastnn.training.room.growth", growth)
    beside: Any = step()
    beside.rest = lambda: rests.append(1)
    room = Room(beside, source([BATCH] * 4, 4, False, 0, -100))
    needed = []
    for batch in [BATCH] * 4:
        room.draw(iter([batch]))
        needed.append(room.others - reading_bytes(BATCH))
    assert needed == [9000 + (1 << 20)] + [18000 + (1 << 20)] * 3
    assert len(rests) == 3 and next(taken) == 80000


def test_our_own_callbacks_take_nothing() -> None:
    known = source(BATCH, 4, False, 0, -100)
    known.working_bytes = 0  # type: ignore[attr-defined]
    assert Room(step(), known, [Callback(), ProgressBar()]).others == 0
    assert not Room(step(), known).is_planned


def test_an_evaluation_leaves_room_for_its_batch_and_what_is_read_of_it(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 examples of 8 floats and a class number: drawn, copied for the metrics, compared."""
    model = nn.Linear(8, 2)
    evaluation = Evaluation(model, nn.CrossEntropyLoss())
    seen: list[Any] = []

    @contextmanager
    def within(allowance: Any) -> Iterator[None]:
        seen.append(allowance)
        yield

    monkeypatch.setattr("fastnn.training.evaluation.within", within)
    data = source((np.ones((3, 8), np.float32), np.zeros(3, np.int64)), 3, False)
    data.working_bytes = 1000  # type: ignore[attr-defined]
    evaluation.prepare(data, Room(step(), data))
    evaluation.prepare(data, Room(step(None), data))
    assert [allowance and allowance.others for allowance in seen] == [1000 + 96 + 24 + 48, None]
