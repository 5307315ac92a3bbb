"""Batch-norm kernels against float64: odd channels, large means, masks, threads."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference import batch_norm as reference

EPS = 1e-5
# around a vector, around the 16 rows that narrow channels are grouped by, around a column block
SHAPES = [(1, 3), (2, 1), (15, 5), (16, 8), (17, 9), (33, 3), (100, 10), (31, 31), (97, 33),
          (300, 63), (5, 64), (130, 65), (257, 70), (40, 1023), (37, 1030), (20000, 3),
          (3000, 40), (1500, 128)]


def problem(m, c, mean=2.0, std=3.0):
    rng = np.random.default_rng(m * 1000 + c)
    x = rng.normal(size=(m, c)) * std * rng.uniform(0.5, 2, c) + mean * rng.normal(size=c)
    arrays = [x, rng.normal(size=(m, c)), rng.normal(size=c), rng.normal(size=c)]
    arrays = [a.astype(np.float32) for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    return arrays


def statistics(x):
    mean, var = blank((2, x.shape[1]))
    call("batch_norm_stats", [x, mean, var], x.shape)
    mean.flags.writeable = var.flags.writeable = False
    return mean, var


def close(actual, expected, tolerance, terms=None):
    """Within tolerance of the root mean square of what is expected, or of the terms it sums."""
    scale = np.sqrt(((expected if terms is None else terms) ** 2).mean()) + 1e-30
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("m, c", SHAPES)
def test_stats(m, c):
    x = problem(m, c)[0]
    mean, var = blank((2, c))
    call_all_threads("batch_norm_stats", [x, mean, var], [m, c])
    expected_mean, expected_var = reference.stats(x)
    close(mean, expected_mean, 1e-6)
    close(var, expected_var, 2e-6)


@pytest.mark.parametrize("m, c", [(5000, 3), (4000, 64), (999, 130)])
@pytest.mark.parametrize("mean, std", [(1e4, 1e-1), (-3e3, 1e-2), (1.0, 1e-4)])
def test_stats_of_a_large_mean(m, c, mean, std):
    """E[x^2] - E[x]^2 has no correct digit here."""
    x = problem(m, c, mean, std)[0]
    found_mean, var = blank((2, c))
    call("batch_norm_stats", [x, found_mean, var], [m, c])
    expected_mean, expected_var = reference.stats(x)
    np.testing.assert_allclose(found_mean, expected_mean, rtol=1e-7)
    np.testing.assert_allclose(var, expected_var, rtol=2e-6)


def test_stats_with_an_outlier_in_front():
    """A shift by the first row would lose the variance."""
    x = np.random.default_rng(0).normal(size=(4000, 7)).astype(np.float32)
    x[0] = 1e4
    mean, var = blank((2, 7))
    call("batch_norm_stats", [x, mean, var], x.shape)
    expected_mean, expected_var = reference.stats(x)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-6)
    np.testing.assert_allclose(var, expected_var, rtol=2e-6)


@pytest.mark.parametrize("m, c", SHAPES)
def test_apply(m, c):
    x, _, weight, bias = problem(m, c)
    mean, var = statistics(x)
    y, z, inplace = blank_like(x), blank_like(x), x.copy()
    call_all_threads("batch_norm_apply", [x, mean, var, weight, bias, y], [m, c], [EPS])
    call_all_threads("batch_norm_apply_relu", [x, mean, var, weight, bias, z], [m, c], [EPS])
    call("batch_norm_apply", [inplace, mean, var, weight, bias, inplace], [m, c], [EPS])
    close(y, reference.apply(x, mean, var, weight, bias, EPS), 1e-6)
    np.testing.assert_array_equal(z, np.maximum(y, 0))
    np.testing.assert_array_equal(inplace, y)


@pytest.mark.parametrize("m, c", SHAPES)
def test_apply_add_relu(m, c):
    """The same bits as the parts one after the other, over either of its inputs too."""
    x, shortcut, weight, bias = problem(m, c)
    mean, var = statistics(x)
    y, z = blank_like(x), blank_like(x)
    call("batch_norm_apply", [x, mean, var, weight, bias, y], [m, c], [EPS])
    call_all_threads("batch_norm_apply_add_relu", [x, mean, var, weight, bias, shortcut, z],
                     [m, c], [EPS])
    np.testing.assert_array_equal(z, np.maximum(y + shortcut, 0))
    first, second = x.copy(), shortcut.copy()
    call("batch_norm_apply_add_relu", [first, mean, var, weight, bias, shortcut, first],
         [m, c], [EPS])
    call("batch_norm_apply_add_relu", [x, mean, var, weight, bias, second, second], [m, c], [EPS])
    np.testing.assert_array_equal(first, z)
    np.testing.assert_array_equal(second, z)


@pytest.mark.parametrize("m, c", SHAPES)
def test_apply_both_relu(m, c):
    """The same bits as the parts one after the other, over either of its inputs too."""
    x, z, weight, bias = problem(m, c)
    norm, other = [*statistics(x), weight, bias], [*statistics(z), bias, weight]
    parts, y = blank_like(np.stack([x, z])), blank_like(x)
    call("batch_norm_apply", [x, *norm, parts[0]], [m, c], [EPS])
    call("batch_norm_apply", [z, *other, parts[1]], [m, c], [2 * EPS])
    eps = [EPS, 2 * EPS]
    call_all_threads("batch_norm_apply_both_relu", [x, *norm, z, *other, y], [m, c], eps)
    np.testing.assert_array_equal(y, np.maximum(parts[0] + parts[1], 0))
    first, second = x.copy(), z.copy()
    call("batch_norm_apply_both_relu", [first, *norm, z, *other, first], [m, c], eps)
    call("batch_norm_apply_both_relu", [x, *norm, second, *other, second], [m, c], eps)
    np.testing.assert_array_equal(first, y)
    np.testing.assert_array_equal(second, y)


def test_apply_relu_passes_nan():
    x, _, weight, bias = problem(20, 5)
    mean, var = statistics(x)
    x = x.copy()
    x[3, 2] = np.nan
    y = blank_like(x)
    call("batch_norm_apply_relu", [x, mean, var, weight, bias, y], [20, 5], [EPS])
    assert np.isnan(y[3, 2]) and np.isnan(y).sum() == 1


@pytest.mark.parametrize("m, c", SHAPES)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("constant", [False, True])
def test_backward(m, c, relu, constant):
    x, dy, weight, bias = problem(m, c)
    mean, var = statistics(x)
    dx, dweight, dbias = blank_like(x), blank_like(weight), blank_like(weight)
    name = f"batch_norm{'_eval' * constant}{'_relu' * relu}_backward"
    vectors = [mean, var, weight] + [bias] * relu
    call_all_threads(name, [dy, x, *vectors, dx, dweight, dbias], [m, c], [EPS])
    mask = 1.0
    if relu:  # the mask is that of apply_relu, to the bit
        y = blank_like(x)
        call("batch_norm_apply_relu", [x, mean, var, weight, bias, y], [m, c], [EPS])
        mask = y > 0
        if constant:
            np.testing.assert_array_equal(dx != 0, mask & (dy != 0))
    expected = reference.backward(dy, x, mean, var, weight, EPS, mask, constant)
    direct = reference.backward(dy, x, mean, var, weight, EPS, mask, constant=True)[0]
    close(dx, expected[0], 2e-6, direct)  # with m = 1 the terms cancel to nothing
    # sums of m terms of size 1, in float for at most 256 of them
    close(dweight, expected[1], 1e-6, np.sqrt(m) * np.ones(1))
    close(dbias, expected[2], 1e-6, np.sqrt(m) * np.ones(1))
    inplace = dy.copy()
    call(name, [inplace, x, *vectors, inplace, dweight, dbias], [m, c], [EPS])
    np.testing.assert_array_equal(inplace, dx)
    if not constant:
        check_grad_input(dy, [x, *vectors], [dx, dweight, dbias], relu)


def check_grad_input(dy, inputs, gradients, relu):
    """With dweight and dbias at hand: the dx of the whole gradient, in place too."""
    dx, *sums = gradients
    name, d = f"batch_norm{'_relu' * relu}_grad_input", dx.shape
    for array in sums:
        array.flags.writeable = False
    again, inplace = blank_like(dx), dy.copy()
    call_all_threads(name, [dy, *inputs, *sums, again], d, [EPS])
    var, weight = inputs[2:4]
    direct = np.abs(dy).max() * np.abs(weight) / np.sqrt(var.astype(np.float64) + EPS)
    close(again, dx.astype(np.float64), 1e-6, direct)
    call(name, [inplace, *inputs, *sums, inplace], d, [EPS])
    np.testing.assert_array_equal(inplace, again)


@pytest.mark.parametrize("momentum", [0.1, 1.0, 0.0, -1.0, None])
def test_update(momentum):
    rng = np.random.default_rng(0)
    mean, var, running_mean, running_var = rng.uniform(0.5, 2, (4, 13)).astype(np.float32)
    before = running_mean.astype(np.float64), running_var.astype(np.float64)
    batches = np.array([4])
    call("batch_norm_update", [mean, var, running_mean, running_var, batches],
         [50, 13, momentum is None], [momentum or 0.0])
    assert batches[0] == 5
    share = 1 / 5 if momentum is None else momentum
    now = mean, var.astype(np.float64) * 50 / 49
    for new, old, batch in zip((running_mean, running_var), before, now, strict=True):
        np.testing.assert_allclose(new, share * batch + (1 - share) * old, rtol=2e-7, atol=2e-7)


def test_one_value_per_channel_has_no_unbiased_variance():
    with pytest.raises(ValueError, match="more than one value per channel"):
        registry.KERNELS["batch_norm_update"].extents([1, 3, 0], 1)
