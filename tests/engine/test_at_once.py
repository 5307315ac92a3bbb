"""Functions called with arrays outside of a forward compute at once."""

import threading

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.engine import at_once

X = np.random.default_rng(0).standard_normal((4, 3, 6, 5)).astype(np.float32)


def test_arrays_in_arrays_out():
    y = fn.relu(X)
    assert isinstance(y, np.ndarray) and y.dtype == np.float32
    np.testing.assert_array_equal(y, np.maximum(X, 0))
    np.testing.assert_allclose(fn.softmax(X, dim=1).sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(fn.cat([X, X], 1), np.concatenate([X, X], 1))


def test_several_results_keep_their_nesting():
    parts = fn.split(X, 2, 0)
    assert isinstance(parts, tuple)
    np.testing.assert_array_equal(np.concatenate(parts), X)


@pytest.mark.parametrize("array", [X.astype(np.float64), X[:, ::-1], np.asfortranarray(X)])
def test_kinds_of_arrays(array):
    np.testing.assert_array_equal(fn.abs(array), np.abs(array.astype(np.float32)))


def test_integers_and_masks():
    assert fn.eq(np.array([1, 2, 2]), 2).tolist() == [0, 1, 1]
    assert fn.logical_not(np.array([True, False])).tolist() == [0, 1]


def test_a_shape_that_depends_on_values():
    assert fn.one_hot(np.array([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert fn.one_hot(np.array([[1]])).shape == (1, 1, 2)


def test_not_a_number_passes():
    assert np.isnan(fn.exp(np.array([np.nan, 0], np.float32))).tolist() == [True, False]


def test_a_draw_of_no_elements():
    assert fn.dropout(np.ones((0, 4), np.float32)).shape == (0, 4)
    assert fn.rand_like(np.ones((2, 0), np.float32)).shape == (2, 0)


def test_a_scalar_result():
    total = fn.sum(X)
    assert total.shape == () and float(total) == pytest.approx(float(X.sum()), rel=1e-5)


def test_arguments_are_part_of_the_plan():
    assert fn.leaky_relu(np.float32([-1.0]), 1).tolist() == [-1]
    assert fn.leaky_relu(np.float32([-1.0]), 0.5).tolist() == [-0.5]


def test_the_graph_of_a_forward_stays_a_graph():
    kinds = []

    class Net(nn.Module):
        def forward(self, x):
            kinds.append(type(fn.add(np.float32([1.0]), np.float32([2.0]))))
            return x

    Net()(X)
    assert kinds == [fn.Tensor]
    symbolic = fn.graph.constant(X)
    assert isinstance(fn.add(symbolic, X), fn.Tensor)
    assert isinstance(fn.cat([symbolic, X]), fn.Tensor)
    assert isinstance(fn.mul(nn.Parameter(X), X), fn.Tensor)


def test_errors_are_those_of_the_function():
    with pytest.raises(fn.ShapeError, match="do not broadcast"):
        fn.add(X, X[:3])
    with pytest.raises(TypeError, match="array of numbers"):
        fn.relu(np.array(["a"]))


def test_calls_kept_are_few():
    for number in range(2 * at_once.CALLS_KEPT):
        fn.leaky_relu(X, number / 100)
    assert len(at_once._calls) <= at_once.CALLS_KEPT


def test_threads():
    results = []

    def work(scale):
        results.append((scale, fn.mul(X, scale)))

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (1.5, 2.5, 3.5, 4.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scale, result in results:
        np.testing.assert_array_equal(result, X * np.float32(scale))
