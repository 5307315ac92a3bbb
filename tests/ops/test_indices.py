"""Indices: what is refused, and the range of those that come with a batch."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import constant, leaf
from fastnn.spec import Spec

X = np.arange(12, dtype=np.float32).reshape(3, 4)


class _Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@pytest.mark.parametrize(("function", "least", "size"), [
    (lambda x, i: x[i], -3, 3), (lambda x, i: x[:, i], -4, 4), (lambda x, i: x[i, i], -3, 3),
    (lambda x, i: fn.index_select(x, 1, i), 0, 4), (lambda x, i: fn.embedding(i, x), 0, 3),
    (lambda x, i: fn.gather(x, 0, i.reshape(-1, 1)), 0, 3),
    (lambda x, i: fn.take_along_dim(x, i.reshape(1, -1), 1), -4, 4),
    (lambda x, i: fn.scatter_add(x, 1, i.reshape(1, -1), x), 0, 4),
    (lambda x, i: fn.index_add(x, 0, i, x[:2]), 0, 3),
    (lambda x, i: fn.one_hot(i, 5).float() * x.sum(), 0, 5)])
def test_the_range_of_a_batch(function, least, size):
    net = _Net(function)
    expected = net(X, np.array([least, size - 1]))
    for bad in ([least - 1, 0], [0, size]):
        for _ in range(2):
            with pytest.raises(ValueError, match=f"expected {least} to {size - 1}"):
                net(X, np.array(bad))
    np.testing.assert_array_equal(net(X, np.array([least, size - 1])), expected)


@pytest.mark.parametrize("key", ["one", 1.5, [0.5], ["a"], [[0], [1, 2]], np.array([1.0]), True,
                                 {0}, (0, [1.5])])
def test_keys_that_are_none(key):
    with pytest.raises(TypeError):
        constant(X)[key]


def test_a_computed_mask_is_no_key():
    x = leaf("input", 0, Spec((3, 4)))
    with pytest.raises(TypeError, match=r"write x \* mask"):
        x[x > 0]


def test_masks_and_lists_may_be_empty():
    net = _Net(lambda x: x[np.zeros(3, bool)])
    assert net(X).shape == (0, 4)
    assert _Net(lambda x: x[:, []])(X).shape == (3, 0)


def test_one_hot_needs_a_number_of_classes():
    assert fn.one_hot(constant(np.array([0, 4]))).shape == (2, 5)
    with pytest.raises(ValueError, match="num_classes must be given"):
        _Net(fn.one_hot)(np.array([0, 4]))
    with pytest.raises(TypeError, match="integers"):
        _Net(lambda x: fn.one_hot(x, 3))(X)


@pytest.mark.parametrize(("build", "error", "message"), [
    (lambda x: fn.pad(x, "ab"), TypeError, "list of integers"),
    (lambda x: fn.pad(x, (1, 1), "mirror"), ValueError, "mode"),
    (lambda x: fn.pad(x, (1, 1), "reflect", 2.0), ValueError, "takes no value"),
    (lambda x: fn.pad(constant(np.arange(3)), (1, 1), value=2.0), TypeError, "padded with 0"),
    (lambda x: fn.roll(x, 1.5), TypeError, "integers"),
    (lambda x: fn.embedding(np.array([0]), x, max_norm=1.0), ValueError, "max_norm"),
    (lambda x: fn.embedding(np.array([0]), x, 3), ValueError, "padding_idx"),
    (lambda x: fn.index_select(x, 0, np.array([0.0])), TypeError, "must be integers"),
    (lambda x: fn.gather(x, 0, x), TypeError, "must be integers")])
def test_other_arguments(build, error, message):
    with pytest.raises(error, match=message):
        build(constant(X))


def test_a_split_batch_has_the_same_bits():
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Embedding(50, 16)

        def forward(self, x):
            return self.rows(x).mean(1) * 2.0

    net = Rows()
    x = np.random.default_rng(0).integers(0, 50, (64, 7))
    whole = net(x)
    np.testing.assert_array_equal(np.concatenate([net(part) for part in np.split(x, 8)]), whole)
