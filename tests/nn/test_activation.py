"""Activation layers: what they show, and which arguments they refuse."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

X = np.float32([[-3, -0.25, 0.25, 3]])


@pytest.mark.parametrize(("layer", "shown"), [
    (nn.ReLU(inplace=True), "ReLU(inplace=True)"), (nn.ReLU6(), "ReLU6()"),
    (nn.Hardtanh(-2, 2, True), "Hardtanh(min_val=-2.0, max_val=2.0, inplace=True)"),
    (nn.Threshold(0.1, 20), "Threshold(threshold=0.1, value=20.0)"),
    (nn.LeakyReLU(), "LeakyReLU(negative_slope=0.01)"), (nn.CELU(), "CELU(alpha=1.0)"),
    (nn.Softplus(2), "Softplus(beta=2.0, threshold=20.0)"), (nn.Softshrink(), "Softshrink(0.5)"),
    (nn.GELU("tanh"), "GELU(approximate='tanh')"), (nn.GLU(), "GLU(dim=-1)"),
    (nn.Softmax(1), "Softmax(dim=1)"), (nn.Maxout(2), "Maxout(pool_size=2, dim=1)")], ids=str)
def test_repr(layer, shown):
    assert repr(layer) == shown


def test_arguments_reach_the_function():
    np.testing.assert_array_equal(nn.Threshold(0, 7)(X), [[7, 7, 0.25, 3]])
    np.testing.assert_array_equal(nn.Hardtanh(-0.5, 1)(X), [[-0.5, -0.25, 0.25, 1]])
    np.testing.assert_array_equal(nn.Softshrink(0.25)(X), [[-2.75, 0, 0, 2.75]])
    np.testing.assert_array_equal(nn.ReLU6()(X * 4), [[0, 0, 1, 6]])
    np.testing.assert_allclose(nn.Softplus(2, 1)(X), [[np.log1p(np.exp(-6)) / 2, np.log1p(
        np.exp(-0.5)) / 2, np.log1p(np.exp(0.5)) / 2, 3]], rtol=1e-6)
    np.testing.assert_allclose(nn.Softmin(1)(X), nn.Softmax(1)(-X))


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: nn.Hardtanh(1, 1), ValueError, "min_val 1 must be below"),
    (lambda: nn.Softshrink(-1)(X), ValueError, "lambd must be 0 or more"),
    (lambda: nn.CELU(0)(X), ValueError, "alpha must not be 0"),
    (lambda: nn.Softplus(0)(X), ValueError, "beta must not be 0"),
    (lambda: nn.ELU("1"), TypeError, "alpha must be a number"),
    (lambda: nn.GLU()(X[:, :3]), ValueError, "odd size"),
    (lambda: nn.GLU(2)(X), (ValueError, IndexError), "2"),
    (lambda: nn.Maxout(3)(X), ValueError, "no multiple of pool_size 3"),
    (lambda: nn.Maxout(0), ValueError, "from 1 on"),
    (lambda: nn.Softmax2d()(X), ValueError, r"\(N, C, H, W\)"),
    (lambda: fn.softmax(X, 1, dtype=np.float64), TypeError, "dtype must be None or float32"),
    (lambda: fn.clamp(X), ValueError, "at least one"),
    (lambda: fn.clamp(X, np.nan), ValueError, "NaN"),
    (lambda: fn.threshold(X, 1), TypeError, "missing a required argument: 'value'"),
    (lambda: fn.div(X, X, rounding_mode="up"), ValueError, "rounding_mode must be one of"),
    (lambda: fn.masked_fill(X, X > 0, X), ValueError, "a number or a scalar"),
    (lambda: fn.hardtanh(X, 2, 1), ValueError, "above max_val"),
    (lambda: fn.round(X, decimals=99), ValueError, "decimals")])
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_softmax_without_an_axis_warns_as_pytorch():
    with pytest.warns(UserWarning, match="axis 1"):
        np.testing.assert_allclose(nn.Softmax()(X).sum(1), [1], rtol=1e-6)
    with pytest.warns(UserWarning, match="axis 0"):
        np.testing.assert_allclose(fn.softmin(np.ones((2, 3, 4), np.float32)), 0.5)
