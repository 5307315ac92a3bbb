"""What the Trainer and its callbacks do where nothing is said."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import Callback, CheckpointCallback, EarlyStopping
from fastnn.training import trainer as trainer_module
from fastnn.training.evaluation import Evaluation
from fastnn.training.files import write_arrays
from fastnn.training.room import Room
from fastnn.training.sources import source

X, Y = np.ones((257, 3), np.float32), np.zeros(257, np.int64)


def make_trainer(**options: Any) -> fn.Trainer:
    fn.manual_seed(3)
    model = nn.Linear(3, 2)
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      **options)


class Seen(Callback):
    """Notes what is known of a fit at its begin, and after each batch."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, int, int, int, float]] = []
        self.batches: list[int] = []

    def on_fit_begin(self, trainer: fn.Trainer) -> None:
        self.begun.append((trainer.epoch, trainer.batch, trainer.steps, trainer.epochs,
                           trainer.batches, trainer.seconds))

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        self.batches.append(trainer.batch)


def test_ten_epochs_of_batches_of_128_in_an_order_of_manual_seed(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(data: Any, *options: Any) -> Any:
        asked.append(options)
        return source(data, *options)

    monkeypatch.setattr(trainer_module, "source", spy)
    seen = Seen()
    trainer = make_trainer(callbacks=[seen])
    key = int(fn.get_rng_state()["key"][0])  # type: ignore[index]
    trainer.expect((X, Y))
    history = trainer.fit((X, Y), validation=(X, Y))
    trainer.evaluate((X, Y))
    assert [options[:4] for options in asked[:3]] == [
        (256, False, 0, -100), (128, True, key, -100), (128, False, 0, -100)]
    assert [options[:4] for options in asked[3:]] == [(256, False, 0, -100)]  # `evaluate`
    assert len(history) == 10 and seen.batches == [1, 2, 3] * 10
    assert seen.begun == [(0, 0, 0, 10, 3, 0.0)]
    assert all(record["seconds"] == round(record["seconds"], 3) for record in history)


def test_one_epoch_is_enough() -> None:
    assert len(make_trainer().fit((X, Y), epochs=1)) == 1


def test_a_new_trainer_has_done_nothing() -> None:
    trainer = make_trainer()
    assert (trainer.epoch, trainer.batch, trainer.steps, trainer.epochs, trainer.batches,
            trainer.seconds, trainer.stop, trainer.first_epoch) == (0, 0, 0, 0, 0, 0.0, False, 0)
    assert trainer.train_step.accumulate == 1 and trainer.place == "after epoch 0"


def test_the_batches_of_an_epoch_are_counted_where_nobody_knows_them() -> None:
    class Loader:
        def __init__(self, sizes: list[int]) -> None:
            self.sizes = sizes

        def __iter__(self) -> Iterator[Any]:
            return iter([(X[:size], Y[:size]) for size in self.sizes])

    seen = Seen()
    trainer = make_trainer(callbacks=[seen])
    trainer.fit(Loader([8, 8, 4]), epochs=1)
    assert trainer.batches == 3
    trainer.fit(Loader([8, 8, 4]), epochs=1)
    trainer.fit([(X[:8], Y[:8])], epochs=1)
    assert [batches for *_, batches, _ in seen.begun] == [0, 3, 1]


def test_a_budget_is_shared_by_all_plans_that_will_be_made(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole batches and a smaller last one to train on, and the same to validate on."""
    trainer = make_trainer(memory_budget="2GiB")
    shared, leave = [], trainer.train_step.leave

    def spy(others: int, **options: Any) -> None:
        shared.append(options)
        leave(others, **options)

    monkeypatch.setattr(trainer.train_step, "leave", spy)
    trainer.fit((X, Y), validation=(X, Y), epochs=2, batch_size=128)
    assert shared == [{"plans": 3}] + [{}] * 6
    shared.clear()
    trainer.fit((X, Y), epochs=1, batch_size=128)
    assert shared == [{"plans": 2}] + [{}] * 3


def test_an_evaluation_begins_and_ends_without_the_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, rests = make_trainer(memory_budget="2GiB"), []
    rest = trainer.train_step.rest

    def spy() -> None:
        rests.append(1)
        rest()

    monkeypatch.setattr(trainer.train_step, "rest", spy)

    trainer.evaluate((X, Y))
    assert len(rests) == 2


def test_a_callback_hears_of_an_error() -> None:
    class Hears(Callback):
        heard: tuple[str, ...] = ()

        def on_error(self, trainer: fn.Trainer) -> None:
            self.heard += ("error",)

        def on_fit_end(self, trainer: fn.Trainer) -> None:
            self.heard += ("end",)

    hears = Hears()
    trainer = make_trainer(callbacks=[hears])
    with pytest.raises(ValueError):
        trainer.fit([3], epochs=1)
    trainer.fit((X, Y), epochs=1)
    assert hears.heard == ("error", "end")


def test_no_batch_is_held_while_the_next_one_is_drawn() -> None:
    """Neither in training nor in an evaluation: two batches may be too much for a budget."""
    class Loader:
        drawn = 0

        def __iter__(self) -> Iterator[Any]:
            before = None
            for _ in range(4):
                assert before is None or before() is None
                x = np.ones((64, 3), np.float32)
                before = weakref.ref(x)
                self.drawn += 1
                yield x, Y[:64]
                del x

    loader = Loader()
    trainer = make_trainer(memory_budget="2GiB")
    trainer.fit(loader, validation=loader, epochs=2)
    assert loader.drawn == 16


def test_an_evaluation_runs_what_was_planned_for_it() -> None:
    class Net(nn.Linear):
        traced = 0

        def forward(self, x: Any) -> Any:
            self.traced += 1
            return super().forward(x)

    model = Net(3, 2)
    evaluation = Evaluation(model, nn.CrossEntropyLoss())
    data = source((X, Y), 257, False)
    step: Any = SimpleNamespace(allowance=None, rest=lambda: None)
    evaluation.prepare(data, Room(step, data))
    assert model.traced == 1
    evaluation.measure(data, Room(step, data))
    assert model.traced == 1


def test_what_is_saved_is_a_model(tmp_path: Path) -> None:
    wrong: Any = {"weight": X}
    with pytest.raises(TypeError, match="the model"):
        fn.save(tmp_path / "w", wrong)
    assert not (tmp_path / "w").exists()


def test_callbacks() -> None:
    assert (EarlyStopping().monitor, EarlyStopping().patience) == ("validation_loss", 5)
    saving = CheckpointCallback("c")
    assert (saving.seconds, saving.batches) == (10.0, None)


@pytest.mark.parametrize(("layers", "words"), [
    (3, "without 1.weight, 1.bias, 2.weight, 2.bias$"),
    (4, "without 1.weight, 1.bias, 2.weight, 2.bias, 3.weight and 1 more$")])
def test_five_missing_names_are_listed(tmp_path: Path, layers: int, words: str) -> None:
    fn.save(tmp_path / "w", nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(fn.CheckpointError, match=words):
        fn.load(tmp_path / "w", nn.Sequential(*[nn.Linear(1, 1) for _ in range(layers)]))



def test_five_names_have_no_rest(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in "abcde":
                setattr(self, name, nn.Parameter(np.zeros(1, np.float32)))

    fn.save(tmp_path / "w", nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(fn.CheckpointError, match=r"without a, b, c, d, e and with"):
        fn.load(tmp_path / "w", Net())


def test_weights_without_the_count_of_batches_fit(tmp_path: Path) -> None:
    """As older PyTorch wrote them; the running statistics may not be missing."""
    def net() -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(2))

    state = net().state_dict()
    arrays = {name: array + 1 for name, array in state.items() if array.ndim}
    write_arrays(tmp_path / "w", arrays)
    model = net()
    fn.load(tmp_path / "w", model)
    assert (model.state_dict()["0.running_mean"] == 1).all()
    del arrays["0.running_mean"]
    write_arrays(tmp_path / "w", arrays)
    with pytest.raises(fn.CheckpointError, match=r"without 0\.running_mean$"):
        fn.load(tmp_path / "w", net())


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_weights_of_either_width_are_read(tmp_path: Path, kind: type) -> None:
    write_arrays(tmp_path / "w", {"weight": np.full((1, 2), 0.5, kind),
                                  "bias": np.full(1, -2, kind)})
    model = nn.Linear(2, 1)
    fn.load(tmp_path / "w", model)
    assert model.weight.data.tolist() == [[0.5, 0.5]] and model.bias.data.tolist() == [-2]
