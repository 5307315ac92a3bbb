"""Batches: every example once, the same bits on a resume, clear errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import (
    Batches,
    Compose,
    RandomHorizontalFlip,
    RandomShift,
    Standardize,
    Whiten,
)

X = np.random.default_rng(0).integers(0, 256, (53, 3, 7, 6), dtype=np.uint8)
Y = np.arange(53, dtype=np.uint8) % 4


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 2**64 - 1), st.integers(0, 99))
def test_an_epoch_holds_every_example_once(count, batch_size, seed, epoch):
    x = np.arange(count, dtype=np.float32)[:, None]
    batches = Batches(x, np.arange(count), batch_size, seed=seed)
    drawn = list(batches.epoch(epoch))
    assert len(drawn) == len(batches)
    assert all(len(y) == batch_size for _, y in drawn[:-1])
    assert sorted(np.concatenate([y for _, y in drawn])) == list(range(count))
    assert all(np.array_equal(x[:, 0], y) for x, y in drawn)


def test_orders_differ_by_epoch_and_seed_and_repeat():
    first = Batches(X, Y, 8, seed=1)
    orders = [first.order(0), first.order(1), Batches(X, Y, 8, seed=2).order(0)]
    assert len({tuple(order) for order in orders}) == 3
    assert np.array_equal(Batches(X, Y, 50, seed=1).order(1), orders[1])
    assert np.array_equal(Batches(X, Y, 8, shuffle=False).order(5), np.arange(53))


def test_the_order_never_changes_between_releases():
    # Runs saved by one release resume under the next.
    order = Batches(np.zeros((8, 1)), np.zeros(8, int), 4, seed=7).order(3)
    assert order.tolist() == [2, 4, 0, 6, 7, 5, 1, 3]


def test_every_position_is_equally_likely():
    batches = Batches(np.zeros((5, 1)), np.zeros(5, int), 5)
    counts = np.zeros((5, 5))
    for epoch in range(2000):
        counts[np.arange(5), batches.order(epoch)] += 1
    # 25 counts of mean 400, deviation 18: five deviations.
    assert np.abs(counts - 400).max() < 90


@pytest.mark.parametrize("start", [0, 1, 3, 6, 7])
def test_a_resume_in_an_epoch_gives_the_same_bits(start):
    def make():
        return Batches(
            X,
            Y,
            8,
            seed=5,
            transform=Compose(RandomShift(2), RandomHorizontalFlip()),
            preprocess=Standardize().fit(X),
        )

    whole = make()
    list(whole.epoch(0))
    expected = list(whole.epoch(3))[start:]
    resumed = list(make().epoch(3, start=start))
    assert len(expected) == len(resumed) == 7 - start
    for (x, y), (x_again, y_again) in zip(expected, resumed, strict=True):
        assert x.tobytes() == x_again.tobytes() and y.tobytes() == y_again.tobytes()


def test_augmentation_differs_between_batches_and_epochs():
    def draw(x, generator):
        return x + np.float32(generator.random())

    batches = Batches(np.zeros((6, 1)), np.zeros(6, int), 2, transform=draw)
    values = [float(x[0, 0]) for epoch in range(3) for x, _ in batches.epoch(epoch)]
    assert len(set(values)) == 9


def test_types_layout_and_scale():
    x, y = next(iter(Batches(X, Y, 53, shuffle=False).epoch(0)))
    assert x.dtype == np.float32 and x.flags.c_contiguous and x.flags.writeable
    assert y.dtype == np.int64 and np.array_equal(y, Y)
    assert np.array_equal(x, (X / 255).astype(np.float32))
    targets = np.random.default_rng(1).normal(size=(53, 2))
    _, y = next(iter(Batches(X, targets, 4, shuffle=False).epoch(0)))
    assert np.array_equal(y, targets[:4].astype(np.float32)) and y.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.astype(">f4"),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype(np.float64),
    ],
)
def test_any_storage_gives_the_same_batches_and_is_left_alone(change):
    plain = X.astype(np.float32)
    stored = change(plain)
    stored.flags.writeable = False

    def spoil(x, generator):
        x *= 2
        return x

    for (x, _), (expected, _) in zip(
        Batches(stored, Y, 8, transform=spoil).epoch(1),
        Batches(plain, Y, 8).epoch(1),
        strict=True,
    ):
        assert np.array_equal(x, 2 * expected)
    assert np.array_equal(stored, plain)


def test_drop_last():
    batches = Batches(X, Y, 10, drop_last=True)
    assert len(batches) == 5 and [len(y) for _, y in batches.epoch(0)] == [10] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer from 1 on, got 0"),
        ({"batch_size": 4, "seed": -1}, "seed must be an integer from 0 to .*, got -1"),
        ({"batch_size": 54, "drop_last": True}, "drop_last leaves no batch"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Batches(X, Y, **options)


def test_bad_arrays_and_positions_are_refused_at_once():
    with pytest.raises(ValueError, match="number of examples"):
        Batches(X, Y[:5], 4)
    for epoch, start in ((-1, 0), (0, -1), (0, 8)):
        with pytest.raises(ValueError, match="expected 0 or more"):
            Batches(X, Y, 8).epoch(epoch, start)


def test_a_transform_that_loses_examples_is_named():
    batches = Batches(X, Y, 8, transform=lambda x, generator: x[:3])
    with pytest.raises(ValueError, match="returned 3 examples, expected 8"):
        next(batches.epoch(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": [RandomShift(1)]}, "must be a function .* or a Compose of several"),
        ({"transform": RandomShift}, r"class RandomShift, expected .*: RandomShift\(\.\.\.\)"),
        ({"preprocess": [1]}, r"preprocess must have a method transform\(x\), .* got \[1\]"),
        ({"preprocess": Standardize}, "class Standardize, expected an instance, fitted"),
    ],
)
def test_what_cannot_change_a_batch_is_refused_before_the_first(options, message):
    with pytest.raises(TypeError, match=message):
        Batches(X, Y, 8, **options)


class _Returns:
    """Preprocessing that returns something else."""

    def __init__(self, value):
        self.value = value

    def transform(self, x):
        return self.value


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (None, TypeError, "returned values of dtype object, expected real numbers"),
        (0.5, ValueError, "returned one number, expected 8 examples"),
        (np.zeros((3, 2)), ValueError, "returned 3 examples, expected 8 examples"),
        ([[0], [0, 1]], ValueError, "what .* returns must be an array, or lists of one shape"),
    ],
)
def test_what_a_change_returns_is_checked(value, kind, message):
    for options in ({"transform": lambda x, generator: value}, {"preprocess": _Returns(value)}):
        with pytest.raises(kind, match=next(iter(options)) + ".*" + message.removeprefix("what")):
            next(Batches(X, Y, 8, **options).epoch(0))


@given(st.data(), st.integers(1, 60), st.integers(1, 20), st.booleans(), st.integers(0, 99))
def test_indices_choose_the_examples(data, count, batch_size, shuffle, epoch):
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=70))
    x = np.arange(count, dtype=np.float32)[:, None] * 2
    batches = Batches(x, np.arange(count), batch_size, shuffle, indices=np.array(chosen))
    drawn = list(batches.epoch(epoch))
    assert len(drawn) == len(batches) == -(-len(chosen) // batch_size)
    targets = np.concatenate([y for _, y in drawn])
    assert sorted(targets) == sorted(chosen)
    assert shuffle or targets.tolist() == chosen
    assert all(np.array_equal(x[:, 0], 2 * y) for x, y in drawn)


def test_indices_split_data_without_overlap_and_without_a_copy():
    order = np.random.default_rng(0).permutation(53)
    parts = [Batches(X, Y, 8, indices=part) for part in np.split(order, [13, 30])]
    seen = np.concatenate([np.concatenate([part.indices]) for part in parts])
    assert sorted(seen) == list(range(53))
    assert all(part.x is X and part.y is Y for part in parts)
    again = Batches(X, Y, 8, indices=order[:13])
    for (x, y), (x_again, y_again) in zip(parts[0].epoch(2), again.epoch(2), strict=True):
        assert x.tobytes() == x_again.tobytes() and y.tobytes() == y_again.tobytes()


@pytest.mark.parametrize(("indices", "words"), [
    ([], r"\(0,\)"), ([[0, 1]], r"\(1, 2\)"), (3, r"\(\)"), ([0, 53], "0 to 53, expected 0..52"),
    ([-1, 4], "-1 to 4, expected 0..52")])
def test_indices_that_do_not_fit(indices, words):
    with pytest.raises(ValueError, match=f"indices .*{words}"):
        Batches(X, Y, 8, indices=np.array(indices))


@pytest.mark.parametrize("indices", [[0.5, 1.0], ["1"], [True] * 53])
def test_indices_are_whole_numbers(indices):
    with pytest.raises(ValueError, match="indices"):
        Batches(X, Y, 8, indices=np.array(indices))


AUGMENT = Compose(RandomShift(2), RandomHorizontalFlip())


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "f2", "i8"])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("preprocess", [None, Standardize(), Whiten("zca")])
@pytest.mark.filterwarnings("ignore:.*at most 99 directions vary")
def test_batches_in_place_are_the_same_and_take_what_they_say(dtype, mapped, preprocess, tmp_path):
    x = np.random.default_rng(0).integers(0, 200, (100, 3, 16, 24)).astype(dtype)
    y = np.arange(100) % 7
    if preprocess is not None:
        preprocess = preprocess.fit(x)
    if mapped:
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Batches(x, y, 48, transform=AUGMENT, preprocess=preprocess)
    assert batches.is_in_place
    places = set()
    expected = list(batches.epoch(2))
    tracemalloc.start()
    drawn = batches.epoch_in_place(2)
    for wanted_x, wanted_y in expected:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        found_x, found_y = next(drawn)
        taken = tracemalloc.get_traced_memory()[1] - before
        assert found_x.tobytes() == wanted_x.tobytes() and np.array_equal(found_y, wanted_y)
        first = found_x.nbytes + found_y.nbytes if not places else 0
        assert taken <= first + batches.bytes_in_place + (64 << 10)
        places.add(found_x.ctypes.data)
    tracemalloc.stop()
    assert len(places) == 1


def test_what_other_code_changes_is_not_in_place():
    assert not Batches(X, Y, 8, transform=lambda x, generator: x + 1).is_in_place
    assert not Batches(X, Y, 8, transform=Compose(lambda x, generator: x)).is_in_place

    class Halve:
        def transform(self, x):
            return x[:, :1] / 2

    batches = Batches(X, Y, 8, preprocess=Halve())
    assert not batches.is_in_place
    assert next(batches.epoch(0))[0].shape == (8, 1, *X.shape[2:])
