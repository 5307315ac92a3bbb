"""Initial values: their distributions, and what arrays and shapes are taken."""

import math

import numpy as np
import pytest
from scipy import stats

import fastnn as fn
from fastnn import nn
from fastnn.nn import init

SHAPE = (40, 30, 3, 3)  # fan in 270, fan out 360
LIKELY = 1e-3  # the p-value from which on a fixed seed's draw counts as from the distribution


@pytest.fixture(autouse=True)
def seed():
    fn.manual_seed(5)


def is_uniform(values, low, high):
    return stats.kstest(np.ravel(values), stats.uniform(low, high - low).cdf).pvalue > LIKELY


def is_normal(values, mean, std):
    return stats.kstest(np.ravel(values), stats.norm(mean, std).cdf).pvalue > LIKELY


@pytest.mark.parametrize(("fill", "std"), [
    (lambda x: init.kaiming_normal_(x), math.sqrt(2 / 270)),
    (lambda x: init.kaiming_normal_(x, mode="fan_out", nonlinearity="tanh"), 5 / 3 / 360**0.5),
    (lambda x: init.xavier_normal_(x, 2), 2 * math.sqrt(2 / 630)),
    (lambda x: init.normal_(x, std=3), 3),
])
def test_normal_ones(fill, std):
    array = np.empty(SHAPE, np.float32)
    assert fill(array) is array
    assert is_normal(array, 0, std) and not is_normal(array, 0, std * 1.2)


@pytest.mark.parametrize(("fill", "bound"), [
    (lambda x: init.kaiming_uniform_(x, a=math.sqrt(5)), 1 / math.sqrt(270)),
    (lambda x: init.xavier_uniform_(x), math.sqrt(6 / 630)),
    (lambda x: init.uniform_(x, -3, 3), 3),
])
def test_uniform_ones(fill, bound):
    parameter = nn.Parameter(np.zeros(SHAPE))
    assert fill(parameter) is parameter
    assert np.abs(parameter.data).max() <= np.float32(bound)
    assert is_uniform(parameter.data, -bound, bound)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [
    (0, 1, -2, 2), (1, 2, -1, 8), (0, 1, 3, 5), (0, 0.02, -2, 2), (0, 1, 8, 9), (0, 1, -9, -8)])
def test_truncated_ones(mean, std, a, b):
    values = init.trunc_normal_(np.empty(20000), mean, std, a, b)
    assert a <= values.min() and values.max() <= b
    expected = stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert stats.kstest(values, expected.cdf).pvalue > LIKELY


def test_orthogonal_ones():
    for shape in ((5, 12), (12, 5), (6, 6), (4, 3, 2, 2), (20, 3, 2, 2)):
        matrix = init.orthogonal_(nn.Parameter(np.zeros(shape)), 2).data.reshape(shape[0], -1)
        product = matrix @ matrix.T if shape[0] <= matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)
    firsts = np.array([init.orthogonal_(np.empty((3, 3)))[0, 0] for _ in range(4000)])
    assert is_uniform(firsts, -1, 1)  # a coordinate on the sphere in 3 dimensions


def test_sparse_ones():
    matrix = init.sparse_(np.empty((40, 500)), 0.3, std=2)
    assert ((matrix == 0).sum(0) == 12).all()
    assert is_normal(matrix[matrix != 0], 0, 2)
    assert len({tuple(np.flatnonzero(column == 0)) for column in matrix.T}) == 500


def test_constants():
    array = np.empty((2, 3), np.float32)
    assert (init.ones_(array) == 1).all() and (init.constant_(array, 2.5) == 2.5).all()
    assert (init.zeros_(array) == 0).all()
    np.testing.assert_array_equal(init.eye_(array), np.eye(2, 3))


def test_dirac_passes_channels_on():
    layer = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
    init.dirac_(layer.weight, 2)
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)


@pytest.mark.parametrize("name", ["eye_", "dirac_", "zeros_", "ones_"])
def test_constants_as_pytorchs(name):
    torch = pytest.importorskip("torch")
    for shape in ((3, 5), (5, 3)) if name == "eye_" else ((6, 4, 3), (4, 6, 2, 5), (3, 3, 1, 1, 2)):
        ours, theirs = np.empty(shape, np.float32), torch.empty(shape)
        np.testing.assert_array_equal(getattr(init, name)(ours),
                                      getattr(torch.nn.init, name)(theirs).numpy())


def test_gains_are_pytorchs():
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                 "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert init.calculate_gain("leaky_relu", 0.3) == pytest.approx(math.sqrt(2 / 1.09))


def test_the_same_seed_draws_the_same_for_parameters_and_arrays():
    for name in ("uniform_", "normal_", "trunc_normal_", "orthogonal_", "xavier_normal_"):
        fn.manual_seed(1)
        parameter = getattr(init, name)(nn.Parameter(np.zeros(SHAPE)))
        fn.manual_seed(1)
        array = getattr(init, name)(np.empty(SHAPE, np.float32))
        np.testing.assert_array_equal(parameter.data, array, err_msg=name)


def test_initial_values_change_what_a_planned_model_computes():
    layer, x = nn.Linear(3, 3, bias=False), np.arange(6, dtype=np.float32).reshape(2, 3)
    layer(x)
    init.eye_(layer.weight)
    np.testing.assert_array_equal(layer(x), x)


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda: init.normal_([1.0]), "tensor must be an nn.Parameter, or an array of floats"),
    (lambda: init.normal_(np.ones(3, int)), "array of floats, got int64"),
    (lambda: init.uniform_(np.ones(3), 2, 1), "expected a <= b"),
    (lambda: init.trunc_normal_(np.ones(3), a=2, b=1), "expected a < b"),
    (lambda: init.trunc_normal_(np.ones(3), a=50, b=51), "no float64 tells apart"),
    (lambda: init.trunc_normal_(np.ones(3), std=0), "std must be"),
    (lambda: init.xavier_normal_(np.ones(3)), "rank 2 or more"),
    (lambda: init.kaiming_normal_(np.ones((3, 3)), mode="both"), "mode must be"),
    (lambda: init.kaiming_normal_(np.ones((3, 3)), nonlinearity="x"), "unknown nonlinearity"),
    (lambda: init.eye_(np.ones(3)), "eye_: expected a matrix"),
    (lambda: init.dirac_(np.ones((3, 3))), "dirac_: expected a convolution"),
    (lambda: init.dirac_(np.ones((3, 3, 3)), 2), "2 groups do not divide 3"),
    (lambda: init.orthogonal_(np.ones(3)), "orthogonal_: expected"),
    (lambda: init.sparse_(np.ones((3, 3)), 2), "sparsity must be"),
    (lambda: init.ones_(np.broadcast_to(np.ones(1), 3)), "read-only"),
])
def test_what_is_refused(wrong, said):
    with pytest.raises((TypeError, ValueError), match=said):
        wrong()
