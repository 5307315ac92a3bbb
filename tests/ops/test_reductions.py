"""What reductions do at their edges: nothing, NaN, infinities, scalars, and wrong arguments."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.engine.by_example import by_example
from fastnn.graph import Graph, constant, leaf
from fastnn.spec import Spec
from tests.harness import run

NAN, INF = np.nan, np.inf
X = np.array([[1, 5, 2], [7, 0, 7]], np.float32)
NOTHING = np.zeros((0, 3), np.float32)


class Net(fn.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def value(tensor):
    """The value of a tensor that is computed from constants."""
    return run(Graph.trace([], [tensor * 1.0]), [])[0]


@pytest.mark.parametrize("function, expected", [
    (lambda x: fn.sum(x, 0), [0, 0, 0]), (fn.sum, 0), (lambda x: fn.mean(x, 0), [NAN] * 3),
    (fn.mean, NAN), (lambda x: fn.prod(x, 0), [1, 1, 1]), (fn.prod, 1), (fn.any, 0), (fn.all, 1),
    (lambda x: fn.logsumexp(x, 0), [-INF] * 3), (lambda x: fn.var(x, 0), [NAN] * 3),
    (lambda x: fn.norm(x, INF, 0), [0, 0, 0]), (lambda x: fn.mean(x, (0, 1), True), [[NAN]])])
def test_of_nothing(function, expected):
    np.testing.assert_array_equal(value(function(constant(NOTHING))), np.float32(expected))


@pytest.mark.parametrize("function, shape", [
    (lambda x: fn.amax(x, 1), (0,)), (lambda x: fn.max(x, 1).values, (0,)),
    (lambda x: fn.sort(x, 0).values, (0, 3)), (lambda x: fn.topk(x, 2).values, (0, 2)),
    (lambda x: fn.topk(x, 0, 0).values, (0, 3)), (lambda x: fn.cumsum(x, 0), (0, 3)),
    (lambda x: fn.softmax(x, 0), (0, 3)), (lambda x: fn.mean(x, 1), (0,))])
def test_results_without_elements(function, shape):
    assert value(function(constant(NOTHING))).shape == shape


@pytest.mark.parametrize("function", [
    fn.amax, fn.amin, fn.max, fn.min, fn.argmax, lambda x: fn.max(x, 0), lambda x: fn.argmin(x, 0),
    lambda x: fn.norm(x, -INF, 0)])
def test_nothing_has_no_largest_value(function):
    with pytest.raises(fn.ShapeError, match=r"needs one element at least.*\(0, 3\)"):
        function(constant(NOTHING))


def test_nan_is_beyond_all_others():
    x = constant(np.array([[1, NAN, 3, NAN], [INF, -INF, 0, 2]], np.float32))
    np.testing.assert_array_equal(value(fn.amax(x, 1)), np.float32([NAN, INF]))
    np.testing.assert_array_equal(value(fn.amin(x, 1)), np.float32([NAN, -INF]))
    np.testing.assert_array_equal(value(fn.argmax(x, 1).float()), [1, 0])
    np.testing.assert_array_equal(value(fn.sort(x, 1).indices.float()), [[0, 2, 1, 3],
                                                                         [1, 2, 3, 0]])
    np.testing.assert_array_equal(value(fn.topk(x, 2).indices.float()), [[1, 3], [0, 3]])


def test_logsumexp_of_infinities():
    x = constant(np.array([[-INF, -INF], [-INF, 2], [INF, 1], [NAN, 1], [-3e38, 3e38]], np.float32))
    np.testing.assert_allclose(value(fn.logsumexp(x, 1)), np.float32([-INF, 2, INF, NAN, 3e38]))


def test_variance_of_one_value_is_not_known():
    assert np.isnan(value(fn.var(constant(X[:1, :1]))))
    assert value(fn.var(constant(X[:1, :1]), correction=0)) == 0
    np.testing.assert_array_equal(value(fn.std(constant(X[:, :1]), 1, correction=3)), [NAN, NAN])


def test_scalars_have_an_axis():
    x = constant(np.float32(-3.0))
    for function in (fn.sum, fn.mean, fn.amax, fn.prod, fn.cumsum, fn.logsumexp,
                     lambda x, dim: fn.max(x, dim).values, lambda x, dim: fn.sort(x, dim).values):
        for dim in (0, -1):
            assert value(function(x, dim)) == -3
    assert value(fn.argmax(x, 0, keepdim=True).float()) == 0
    with pytest.raises(fn.ShapeError, match="axis 1"):
        fn.sum(x, 1)


def test_named_results():
    values, indices = Net(lambda x: x.max(1))(X)
    np.testing.assert_array_equal(values, [5, 7])
    np.testing.assert_array_equal(indices, [1, 0])
    assert indices.dtype == np.int64
    found = constant(X).topk(2, largest=False)
    assert found._fields == ("values", "indices")
    np.testing.assert_array_equal(value(found.values), [[1, 2], [0, 7]])
    np.testing.assert_array_equal(value(found.indices.float()), [[0, 2], [1, 0]])


@pytest.mark.parametrize("function, error, said", [
    (lambda x: fn.topk(x, 4), fn.ShapeError, r"k = 4 is more than the 3 values.*\(2, 3\)"),
    (lambda x: fn.topk(x, -1), ValueError, "topk: k must be"),
    (lambda x: fn.topk(x, 1.5), TypeError, "topk: k must be"),
    (lambda x: fn.sort(x, 2), fn.ShapeError, r"axis 2 is outside of shape \(2, 3\)"),
    (lambda x: fn.sum(x, (0, 0)), fn.ShapeError, "named twice"),
    (lambda x: fn.sum(x, dtype=np.float64), TypeError, "sum: dtype must be float32 or None"),
    (lambda x: fn.prod(x, dtype="no such"), TypeError, "prod: dtype must be"),
    (lambda x: fn.norm(x, "nuc"), ValueError, "nuclear norm"),
    (lambda x: fn.norm(x, "max"), TypeError, "norm: p must be a number"),
    (lambda x: fn.var(x, 0, True, correction=1), TypeError, "not both"),
    (lambda x: fn.amax(x, keepdim=3.5), TypeError, "keepdim must be True or False"),
    (lambda x: fn.amax(x > "a"), TypeError, "not supported"),
    (lambda x: fn.cumsum(fn.argmax(x, 1), 0), fn.ShapeError, "cumsum needs float32, got integers"),
    (lambda x: fn.cumsum(x, (0, 1)), TypeError, "axes must be integers"),
    (lambda x: fn.normalize(x, eps=-1), ValueError, "normalize: eps")])
def test_wrong_arguments(function, error, said):
    with pytest.raises(error, match=said):
        function(constant(X))


@pytest.mark.parametrize("function", [
    lambda x: x.max(1).values, lambda x: fn.topk(x, 2).values, lambda x: fn.cumsum(x, 0),
    lambda x: fn.sort(x, 0, True).values, lambda x: fn.amax(x, 0)])
def test_second_derivatives(function):
    x = constant(X + np.arange(6).reshape(2, 3) / 8)
    weight = constant(np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3))

    def slope(x):
        y = function(x)
        (dx,) = gradients(fn.sum(y * y * y), [x])
        return fn.sum(dx * weight)

    (second,) = gradients(slope(x), [x])
    step = 0.01
    direction = constant(np.float32([[1, -2, 1], [0.5, 1, -1]]))
    differences = value(slope(x + direction * step) - slope(x - direction * step)) / (2 * step)
    np.testing.assert_allclose(value(fn.sum(second * direction)), differences, rtol=3e-3)


@pytest.mark.parametrize("function, alone", [
    (lambda x: fn.topk(fn.cumsum(x, 1), 2).values, True), (lambda x: x.max(2)[1], True),
    (lambda x: fn.amax(x, (1, 2)), True), (lambda x: fn.prod(x, 2, True), True),
    (lambda x: fn.std(x, 1), True), (lambda x: fn.sort(x, 1).indices, True),
    (lambda x: fn.cumsum(x, 0), False), (lambda x: x - x.amax(0), False),
    (lambda x: x - fn.prod(x, 0), False), (lambda x: fn.sort(x[:, 0, 0]).values, False),
    (lambda x: x.max(0, True).values * x, False)])
def test_a_batch_is_split_only_where_its_examples_do_not_meet(function, alone):
    x = leaf("input", 0, Spec((4, 3, 5)))
    y = function(x)
    assert by_example(Graph.trace([x], [y]), 4) is alone
