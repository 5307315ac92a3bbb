"""Kernels of layer norm and RMS norm against float64: odd rows, large means, no parameters."""

import numpy as np
import pytest

from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference import norm as reference

EPS = 1e-5
# around a vector and four of them, around what is summed in float, around a chunk and a team
SHAPES = [(0, 5), (1, 1), (5, 1), (3, 2), (7, 15), (6, 16), (9, 17), (2, 63), (33, 64), (5, 65),
          (130, 130), (3, 4095), (2, 4097), (1, 9000), (300, 96), (70, 515), (3000, 11)]


def problem(rows, n, mean=2.0, std=3.0):
    rng = np.random.default_rng(rows * 1000 + n)
    x = rng.normal(size=(rows, n)) * std + mean * rng.normal(size=(rows, 1))
    arrays = [x, rng.normal(size=(rows, n)), rng.normal(size=n), rng.normal(size=n)]
    arrays = [array.astype(np.float32) for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def close(actual, expected, tolerance, terms=None):
    """Within tolerance of the root mean square of what is expected, or of the terms it sums."""
    terms = expected if terms is None else terms
    scale = np.sqrt((terms**2).mean()) + 1e-30 if terms.size else 0.0
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


def parameters_of(affine, *arrays):
    """The parameters, or arrays of no value where the kernel reads none."""
    return [array if affine else blank((0,)) for array in arrays]


@pytest.mark.parametrize(("rows", "n"), SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm(rows, n, affine):
    x, _, weight, bias = problem(rows, n)
    parameters = parameters_of(affine, weight, bias)
    y, mean, rstd, inplace = blank_like(x), blank((rows,)), blank((rows,)), x.copy()
    call_all_threads("layer_norm_forward", [x, *parameters, y, mean, rstd], [rows, n, affine],
                     [EPS])
    middle, var = reference.moments(x, 1)
    close(mean, middle[:, 0], 1e-6)
    close(rstd, 1 / np.sqrt(var[:, 0] + EPS), 2e-6)
    expected = reference.apply(x, middle, var, *((weight, bias) if affine else (1, 0)), EPS)
    rounded = np.abs(middle) / np.sqrt(var + EPS) * np.abs(weight if affine else 1)  # of the mean
    close(y, expected, 2e-6, np.sqrt(expected**2 + rounded**2))
    call("layer_norm_forward", [inplace, *parameters, inplace, mean.copy(), rstd.copy()],
         [rows, n, affine], [EPS])
    np.testing.assert_array_equal(inplace, y)


@pytest.mark.parametrize(("rows", "n"), SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_rms_norm(rows, n, affine):
    x, _, weight, _ = problem(rows, n)
    parameters = parameters_of(affine, weight)
    y, rstd, inplace = blank_like(x), blank((rows,)), x.copy()
    call_all_threads("rms_norm_forward", [x, *parameters, y, rstd], [rows, n, affine], [EPS])
    square = (x.astype(np.float64) ** 2).mean(1, keepdims=True)
    close(rstd, 1 / np.sqrt(square[:, 0] + EPS), 2e-6)
    close(y, reference.apply(x, 0, square, weight if affine else 1, 0, EPS), 2e-6)
    call("rms_norm_forward", [inplace, *parameters, inplace, rstd.copy()], [rows, n, affine], [EPS])
    np.testing.assert_array_equal(inplace, y)


@pytest.mark.parametrize(("mean", "std"), [(1e4, 1e-1), (-3e3, 1e-2), (1.0, 1e-4)])
@pytest.mark.parametrize("n", [33, 5000])
def test_variance_of_a_large_mean(mean, std, n):
    """E[x^2] - E[x]^2 has no correct digit here."""
    x = problem(9, n, mean, std)[0]
    y, found, rstd = blank_like(x), blank((9,)), blank((9,))
    call("layer_norm_forward", [x, blank((0,)), blank((0,)), y, found, rstd], [9, n, 0], [0.0])
    middle, var = reference.moments(x, 1)
    np.testing.assert_allclose(found, middle[:, 0], rtol=1e-7)
    np.testing.assert_allclose(rstd, 1 / np.sqrt(var[:, 0]), rtol=2e-6)


@pytest.mark.parametrize(("rows", "n"), SHAPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("centered", [True, False])
def test_backward(rows, n, affine, centered):
    x, dy, weight, _ = problem(rows, n)
    middle, var = reference.moments(x, 1)
    var = var if centered else (x.astype(np.float64) ** 2).mean(1, keepdims=True)
    statistics = [values[:, 0].astype(np.float32)
                  for values in ([middle] * centered + [1 / np.sqrt(var + EPS)])]
    for values in statistics:
        values.flags.writeable = False
    name = f"{'layer' if centered else 'rms'}_norm_backward"
    dx, *sums = blank_like(x), *parameters_of(affine, *blank((1 + centered, n)))
    inputs = [x, *statistics, *parameters_of(affine, weight)]
    call_all_threads(name, [dy, *inputs, dx, *sums], [rows, n, affine])
    *expected, terms = reference.backward(dy, x, weight if affine else 1, EPS, 1, 0, centered)
    close(dx, expected[0], 3e-6, terms)  # with n = 1 the terms cancel to nothing
    for got, want in zip(sums if affine else (), expected[1:], strict=False):
        # sums of terms of size 1, in float for 64 of them
        close(got, want, 2e-6, np.sqrt(rows) * 3 * np.ones(1))
    inplace = dy.copy()
    call(name, [inplace, *inputs, inplace, *[values.copy() for values in sums]], [rows, n, affine])
    np.testing.assert_array_equal(inplace, dx)
