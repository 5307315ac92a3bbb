"""Batches of iterables: what is accepted, where epochs begin and end, and what is refused."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches
from fastnn.training import Callback
from fastnn.training.sources import source
from fastnn.training.streams import Steps, Stream

X = np.arange(12, dtype=np.float32).reshape(6, 2)


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((2, 2), number, np.float32), np.array([0, 1])


def numbers(batches: Iterator[Any]) -> list[int]:
    return [int(x[0, 0]) for x, _ in batches]


def make_trainer(callbacks: Any = ()) -> fn.Trainer:
    fn.manual_seed(0)
    model = nn.Linear(2, 2)
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      callbacks=callbacks)


def weights(trainer: fn.Trainer) -> list[bytes]:
    return [array.tobytes() for array in trainer.model.state_dict().values()]


class Unsized:
    """An iterable of unknown length that can be iterated again."""

    def __init__(self, length: int) -> None:
        self.length, self.begun = length, 0

    def __iter__(self) -> Iterator[Any]:
        self.begun += 1
        return map(batch, range(self.length))


class Loader(Unsized):
    """As PyTorch's loader of an iterable, whose __len__ raises."""

    def __len__(self) -> int:
        raise TypeError("no len()")


@pytest.mark.parametrize("make", [
    lambda: [batch(i) for i in range(3)], lambda: Unsized(3), lambda: Loader(3),
    lambda: lambda: map(batch, range(3)), lambda: lambda: [batch(i) for i in range(3)]])
def test_an_epoch_is_all_batches(make: Any) -> None:
    stream = Stream(make())
    assert numbers(stream.epoch(0)) == [0, 1, 2] == numbers(stream.epoch(1))
    assert numbers(stream.epoch(2, start=2)) == [2] and len(stream) == 3
    assert numbers(stream.epoch(2, start=3)) == []


def test_lengths_are_known_or_learned() -> None:
    assert len(Stream([1, 2])) == 2
    stream = Stream(Loader(4))
    assert len(stream) == 0
    list(stream.epoch(0))
    assert len(stream) == 4


@pytest.mark.parametrize("make", [
    lambda: [batch(i) for i in range(5)], lambda: Unsized(5), lambda: lambda: Unsized(5)])
@pytest.mark.parametrize("start", range(12))
def test_steps_go_on_where_an_epoch_ended(make: Any, start: int) -> None:
    whole = Steps(Stream(make()), 3)
    found = [number for epoch in range(4) for number in numbers(whole.epoch(epoch))]
    assert found == [0, 1, 2, 3, 4] * 2 + [0, 1] and len(whole) == 3
    resumed = Steps(Stream(make()), 3)  # as in a new process
    rest = numbers(resumed.epoch(start // 3, start % 3))
    for epoch in range(start // 3 + 1, 4):
        rest += numbers(resumed.epoch(epoch))
    assert rest == found[start:]


def test_steps_do_not_draw_anew() -> None:
    data = Unsized(5)
    steps = Steps(Stream(data), 2)
    assert [numbers(steps.epoch(epoch)) for epoch in range(5)] == [
        [0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]
    assert data.begun == 2


def test_steps_of_arrays_are_those_of_their_epochs() -> None:
    batches = Batches(X, np.zeros(6, int), 2, seed=3)
    expected = [x.tolist() for epoch in range(2) for x, _ in batches.epoch(epoch)]
    for ahead in (0, 2):
        steps = source(batches, 2, True, steps=2, prefetch=ahead)
        found = [x.tolist() for epoch in range(3) for x, _ in steps.epoch(epoch)]
        assert found == expected
        again = source(batches, 2, True, steps=2, prefetch=ahead)
        assert [x.tolist() for x, _ in again.epoch(1, 1)] == expected[3:4]


def test_an_endless_generator_needs_steps() -> None:
    trainer = make_trainer()
    drawn = map(batch, count())
    history = trainer.fit(drawn, epochs=3, steps_per_epoch=4)
    assert len(history) == 3 and trainer.steps == 12 and trainer.batches == 4
    assert numbers(iter([next(drawn)])) == [12]
    trainer.fit(drawn, epochs=1, steps_per_epoch=2)
    assert numbers(iter([next(drawn)])) == [15]


def test_a_generator_lasts_for_one_epoch() -> None:
    trainer = make_trainer()
    with pytest.raises(ValueError, match=r"only once, and 2 epochs .*steps_per_epoch"):
        trainer.fit((batch(i) for i in range(3)), epochs=2)
    assert trainer.steps == 0 and not trainer.history
    assert len(trainer.fit((batch(i) for i in range(3)), epochs=1)) == 1
    with pytest.raises(ValueError, match="epoch 3 has no batches; an iterator gives its batches"):
        trainer.fit(map(batch, range(3)), epochs=2)  # noticed when it ends
    with pytest.raises(ValueError, match="epoch 1 has no batches"):
        make_trainer().fit(iter([]), epochs=1)
    with pytest.raises(ValueError, match="epoch 2 has no batches"):
        make_trainer().fit(map(batch, range(3)), epochs=2, steps_per_epoch=2)


def test_a_function_makes_the_batches_of_each_epoch() -> None:
    expected = make_trainer()
    expected.fit([batch(i) for i in range(3)], epochs=2)
    trainer = make_trainer()
    trainer.fit(lambda: (batch(i) for i in range(3)), epochs=2)
    assert weights(trainer) == weights(expected)
    with pytest.raises(TypeError, match="returned NoneType, expected an iterator of batches"):
        make_trainer().fit(lambda: None, epochs=1)


class StopAt(Callback):
    def on_batch_end(self, trainer: fn.Trainer) -> None:
        if trainer.steps == 5:
            raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("make", [lambda: [batch(i) for i in range(3)], lambda: Unsized(3)])
def test_fit_goes_on_in_mid_epoch(make: Any, steps: int | None, prefetch: int) -> None:
    whole, stopped, data = make_trainer(), make_trainer([StopAt()]), make()
    whole.fit(make(), epochs=3, steps_per_epoch=steps)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data, epochs=3, steps_per_epoch=steps, prefetch=prefetch)
    stopped.fit(data, epochs=3, steps_per_epoch=steps, prefetch=prefetch)
    assert weights(stopped) == weights(whole)


def test_an_iterator_goes_on_where_it_is() -> None:
    whole, stopped = make_trainer(), make_trainer([StopAt()])
    whole.fit(map(batch, count()), epochs=3, steps_per_epoch=4)
    data = map(batch, count())
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data, epochs=3, steps_per_epoch=4)
    stopped.fit(data, epochs=3, steps_per_epoch=4)
    assert weights(stopped) == weights(whole)


@pytest.mark.parametrize(("later", "message"), [
    ((X[:, None], np.zeros(6, int)), r"batch 2: x is float32 of shape \(6, 1, 2\), .*\(6, 2\)"),
    ((X.astype(int), np.zeros(6, int)), r"batch 2: x is int64 .* it was float32"),
    ((X, np.zeros(6)), r"batch 2: y is float64 of shape \(6,\), .* it was int64"),
    (((X, X), np.zeros(6, int)), "batch 2 has 3 arrays, the first batch had 2"),
    (X, r"batch 2: expected a pair \(x, y\), or \(x, y, weights\), got nda"),
    ({"x": X, "y": 1}, r"got a dict with keys 'x', 'y'; .* lambda: \(\(b\[\"x\"\]"),
    ((X, None), "batch 2: y must be an array"),
    (((), X), "batch 2: x is an empty tuple"),
])
def test_batches_that_change_their_kind(later: Any, message: str) -> None:
    trainer = make_trainer()
    with pytest.raises((ValueError, TypeError), match=message):
        trainer.fit([(X, np.zeros(6, int)), later], epochs=1)
    assert trainer.steps == 1


def test_images_may_change_their_size_and_not_their_channels() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    y = np.array([0, 2])
    images = [np.ones((2, 2, size, size), np.float32) for size in (5, 6, 9)]
    assert len(trainer.fit([(x, y) for x in images], epochs=1)) == 1
    with pytest.raises(fn.ShapeError, match=r"batch 2: x .*\(2, 3, 5, 5\).*\(2, 2, 5, 5\)"):
        trainer.fit([(images[0], y), (np.ones((2, 3, 5, 5), np.float32), y)], epochs=1)


@pytest.mark.parametrize("second", [(X[:, :1], np.zeros(6, int)), (X, np.zeros(5, int))])
def test_an_error_of_the_model_names_the_batch(second: Any) -> None:
    with pytest.raises(fn.ShapeError, match=r"(?s)(loss|linear).*in epoch 1, batch 2"):
        make_trainer().fit([batch(0), second], epochs=1)


def test_an_error_of_an_evaluation_names_the_batch() -> None:
    with pytest.raises(ValueError, match=r"(?s)class numbers.*in evaluation, batch 2"):
        make_trainer().evaluate([batch(0), (X, np.full(6, 7))])


class Broken(Exception):
    pass


def test_an_error_of_the_iterable_keeps_its_traceback() -> None:
    def breaks() -> Iterator[Any]:
        yield batch(0)
        raise Broken

    for prefetch in (0, 1, 3):
        trainer = make_trainer()
        with pytest.raises(Broken) as caught:
            trainer.fit(breaks, epochs=1, prefetch=prefetch)
        assert caught.traceback[-1].name == "breaks" and trainer.steps == 1


@pytest.mark.parametrize(("data", "message"), [
    (X, r"got ndarray; write fit\(\(x, y\)\)"), (nn.Linear(1, 1), "got Linear"),
    (Unsized, "got type"), ({"x": X}, "got dict"), (3, "got int")])
def test_what_is_no_data(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make_trainer().fit(data, epochs=1)


@pytest.mark.parametrize(("options", "message"), [
    ({"steps_per_epoch": 0}, "steps_per_epoch must be an integer from 1 on, got 0"),
    ({"prefetch": -1}, "prefetch must be an integer from 0 on, got -1")])
def test_options_out_of_range(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_trainer().fit((X, np.zeros(6, int)), epochs=1, **options)


def test_integers_are_real_targets_where_the_loss_takes_those() -> None:
    masks = np.arange(12).reshape(6, 2) % 3 == 0
    found = []
    for y in (masks, masks.astype(np.int8), masks.astype(np.float32)):
        fn.manual_seed(0)
        model = nn.Linear(2, 2)
        trainer = fn.Trainer(model, nn.BCEWithLogitsLoss(), optim.SGD(model.parameters(), lr=0.1))
        trainer.fit((X, y), (X, y), epochs=2, batch_size=4)
        found.append(trainer.history[-1]["validation_loss"])
    assert found[0] == found[1] == found[2]
    with pytest.raises(ValueError, match=r"one-hot rows: y.argmax\(1\)"):
        make_trainer().fit((X, masks.astype(int)), epochs=1)


def test_lists_are_arrays() -> None:
    expected, trainer = make_trainer(), make_trainer()
    y = [0, 1, 0, 1, 1, 0]
    expected.fit((X, np.array(y)), epochs=1, batch_size=4)
    trainer.fit((X.tolist(), y), epochs=1, batch_size=4)
    assert weights(trainer) == weights(expected)
