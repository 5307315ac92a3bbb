"""Kernels of group norm against float64: images and sequences, odd sizes, large means."""

import numpy as np
import pytest

from tests._kernels.call import call, call_all_threads
from tests._kernels.test_row_norms import close
from tests.memory import blank, blank_like
from tests.reference import norm as reference

EPS = 1e-5
# n, places, groups, channels in each: around the 16 places that narrow channels are grouped by,
# a vector, a block of columns, images of several chunks, fewer and more images than threads
SHAPES = [(0, 3, 1, 2), (1, 1, 1, 1), (3, 1, 2, 3), (2, 15, 1, 5), (4, 16, 4, 2), (2, 17, 3, 3),
          (3, 49, 8, 1), (2, 33, 2, 31), (5, 20, 8, 8), (2, 9, 65, 1), (1, 7, 3, 347),
          (70, 6, 2, 2), (1, 1500, 2, 32), (2, 5000, 3, 4), (3, 1200, 64, 1)]


def layout(rows, n, places, groups, each):
    """The shape in memory, what statistics are over, and the shape of parameters beside it."""
    if rows:
        return (n, groups, each, places), (2, 3), (groups, each, 1), (0, 3)
    return (n, places, groups, each), (1, 3), (groups, each), (0, 1)


def problem(rows, shape, mean=2.0, std=3.0):
    size, axes = layout(rows, *shape)[:2]
    rng = np.random.default_rng(sum(shape))
    means = mean * rng.normal(size=[1 if i in axes else s for i, s in enumerate(size)])
    x = rng.normal(size=size) * std + means
    channels = shape[2] * shape[3]
    arrays = [x, rng.normal(size=size), rng.normal(size=channels), rng.normal(size=channels)]
    arrays = [array.astype(np.float32) for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def sizes(rows, n, places, groups, each):
    return (n, groups, each, places) if rows else (n, places, groups, each)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [False, True])
def test_forward(shape, rows):
    x, _, weight, bias = problem(rows, shape)
    name, d = f"group_norm{'_rows' * rows}_forward", sizes(rows, *shape)
    y, inplace = blank_like(x), x.copy()
    mean, var = blank((2, shape[0], shape[2]))
    call_all_threads(name, [x, weight, bias, y, mean, var], d, [EPS])
    _, axes, parameters, _ = layout(rows, *shape)
    middle, variance = reference.moments(x, axes)
    close(mean, middle.reshape(mean.shape), 1e-6)
    close(var, variance.reshape(var.shape), 2e-6)
    weight_, bias_ = weight.reshape(parameters), bias.reshape(parameters)
    expected = reference.apply(x, middle, variance, weight_, bias_, EPS)
    rounded = np.abs(middle) / np.sqrt(variance + EPS) * np.abs(weight_)  # of the mean
    close(y, expected, 2e-6, np.sqrt(expected**2 + rounded**2))
    call(name, [inplace, weight, bias, inplace, mean.copy(), var.copy()], d, [EPS])
    np.testing.assert_array_equal(inplace, y)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize(("mean", "std"), [(1e4, 1e-1), (-3e3, 1e-2), (1.0, 1e-4)])
def test_variance_of_a_large_mean(rows, mean, std):
    """E[x^2] - E[x]^2 has no correct digit here."""
    shape = (3, 700, 3, 20)
    x, _, weight, bias = problem(rows, shape, mean, std)
    found, var = blank((2, shape[0], shape[2]))
    call(f"group_norm{'_rows' * rows}_forward", [x, weight, bias, blank_like(x), found, var],
         sizes(rows, *shape), [EPS])
    middle, variance = reference.moments(x, layout(rows, *shape)[1])
    np.testing.assert_allclose(found, middle.reshape(found.shape), rtol=1e-7)
    np.testing.assert_allclose(var, variance.reshape(var.shape), rtol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [False, True])
def test_backward(shape, rows):
    x, dy, weight, _ = problem(rows, shape)
    name, d = f"group_norm{'_rows' * rows}_backward", sizes(rows, *shape)
    _, axes, parameters, summed = layout(rows, *shape)
    statistics = [values.reshape(shape[0], shape[2]).astype(np.float32)
                  for values in reference.moments(x, axes)]
    for values in statistics:
        values.flags.writeable = False
    dx, (dweight, dbias) = blank_like(x), blank((2, weight.size))
    inputs = [x, *statistics, weight]
    call_all_threads(name, [dy, *inputs, dx, dweight, dbias], d, [EPS])
    *expected, terms = reference.backward(dy, x, weight.reshape(parameters), EPS, axes, summed)
    close(dx, expected[0], 4e-6, terms)  # of one value the terms cancel to nothing
    terms = np.sqrt(shape[0] * shape[1]) * 3 * np.ones(1)  # of size 1, some of them in float
    close(dweight, expected[1].ravel(), 2e-6, terms)
    close(dbias, expected[2].ravel(), 2e-6, terms)
    inplace = dy.copy()
    call(name, [inplace, *inputs, inplace, dweight.copy(), dbias.copy()], d, [EPS])
    np.testing.assert_array_equal(inplace, dx)
