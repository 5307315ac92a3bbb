"""What callbacks hold goes into a checkpoint and comes back, or nothing changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import Callback, CheckpointCallback, LambdaCallback
from fastnn.training.parts import named_apart, pack, unpack

X = np.random.default_rng(0).standard_normal((8, 3), dtype=np.float32)
Y = np.arange(8) % 2


class Mean(Callback):
    """Keeps the mean of a layer's weights over all steps."""

    def __init__(self) -> None:
        self.mean, self.steps = np.zeros((2, 3)), 0

    def on_batch_end(self, trainer: Any) -> None:
        self.steps += 1
        self.mean = self.mean + (trainer.model.weight.data - self.mean) / self.steps

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if np.shape(state["mean"]) != (2, 3):
            raise ValueError(f"a mean of shape {np.shape(state['mean'])}")
        self.mean, self.steps = state["mean"], state["steps"]


class Crash(Exception):
    pass


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Any) -> None:
        if trainer.steps == self.step:
            raise Crash


def trainer(*callbacks: Any) -> fn.Trainer:
    fn.manual_seed(0)
    model = nn.Linear(3, 2)
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      callbacks=callbacks)


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_states_of_callbacks_go_on_to_the_same_bits(tmp_path: Path, stop: int) -> None:
    whole = [Mean(), Mean()]
    trainer(*whole).fit((X, Y), epochs=2, batch_size=2)
    path = tmp_path / "c"
    stopped = trainer(Mean(), Mean(), CheckpointCallback(path, batches=1), StopAt(stop))
    with pytest.raises(Crash):
        stopped.fit((X, Y), epochs=2, batch_size=2)
    parts = [Mean(), Mean()]
    resumed = trainer(*parts)
    resumed.resume(path)
    assert [part.steps for part in parts] == [stop, stop]
    resumed.fit((X, Y), epochs=2, batch_size=2)
    for part, expected in zip(parts, whole, strict=True):
        assert part.mean.tobytes() == expected.mean.tobytes() and part.steps == 8


def test_a_state_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    first, second = Mean(), Mean()
    second.mean = np.zeros(5)
    source = trainer(first, second)
    first.steps = 3
    source.save(tmp_path / "c")
    parts = [Mean(), Mean()]
    resumed = trainer(*parts)
    with pytest.raises(fn.CheckpointError, match=r"a mean of shape \(5,\)"):
        resumed.resume(tmp_path / "c")
    assert [part.steps for part in parts] == [0, 0]


def test_a_state_without_a_callback_is_told(tmp_path: Path) -> None:
    trainer(Mean()).save(tmp_path / "c")
    with pytest.warns(UserWarning, match=r"states of callbacks\.Mean, which this trainer does not"):
        trainer().resume(tmp_path / "c")


@pytest.mark.parametrize(("state", "error", "message"), [
    ({"a": object()}, TypeError, r"parts\.callbacks\.Own\.a is of class object"),
    ({"a": np.zeros(2, bool)}, TypeError, "has dtype bool, a checkpoint holds float32"),
    ({"a": {1: 2}}, TypeError, "keys that are no texts"),
    ({"a": [0.0, float("inf")]}, ValueError, r"Own\.a\.1 is inf"),
])
def test_a_state_that_no_checkpoint_holds(
    tmp_path: Path, state: Any, error: type[Exception], message: str
) -> None:
    class Own(Callback):
        def state_dict(self) -> dict[str, Any]:
            return state

    Own.__qualname__ = "Own"
    with pytest.raises(error, match=message):
        trainer(Own()).save(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_packing_and_unpacking() -> None:
    arrays: dict[str, np.ndarray] = {}
    state = {"a": 1, "b": [0.1, None, True, "x"], "c": {"d": np.arange(3)}, "e": np.float32(0.5)}
    packed = pack(state, "p", arrays)
    again = unpack(packed, arrays.__getitem__)
    assert again["a"] == 1 and again["b"] == state["b"] and again["e"] == 0.5
    assert again["c"]["d"] is state["c"]["d"]  # type: ignore[index]
    assert list(named_apart(["a", "b", 1, "c"])) == ["str", "str 2", "int", "str 3"]


def test_events_in_their_order() -> None:
    seen: list[Any] = []

    def note(event: str) -> Any:
        return lambda trainer: seen.append(
            (event, trainer.batch, trainer.batch_loss is not None, trainer.metrics.keys()))

    events = ("on_fit_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end",
              "on_validation_end", "on_epoch_end", "on_fit_end")
    watch = LambdaCallback(**{event: note(event) for event in events})
    trainer(watch, lambda each: seen.append(each.epoch)).fit((X, Y), (X, Y), 1, 4)
    assert [each if isinstance(each, int) else each[:3] for each in seen] == [
        ("on_fit_begin", 0, False), ("on_epoch_begin", 0, False),
        ("on_batch_begin", 0, False), ("on_batch_end", 1, True),
        ("on_batch_begin", 1, True), ("on_batch_end", 2, True),
        ("on_validation_end", 2, True), ("on_epoch_end", 0, True), 1, ("on_fit_end", 0, True)]
    assert "validation_loss" in seen[6][3]
    with pytest.raises(TypeError, match="no event 'on_epoch'; there are on_fit_begin"):
        LambdaCallback(on_epoch=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function"):
        LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]
