"""Pooling kernels against plain loops: ties, NaN, overlap, dilation, odd channels, threads."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels import test_batch_norm
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference import pool as reference

CHANNELS = (1, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 64, 65, 70)
# kernel, stride, pad, dilation; ceil_mode adds windows that reach past the padding
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((3, 2), (1, 2), (1, 1), (2, 1)),
    ((2, 3), (3, 4), (0, 1), (1, 1)),   # gaps between windows
    ((2, 1), (2, 1), (1, 0), (1, 1)),
    ((3, 3), (1, 1), (1, 1), (3, 2)),
    ((1, 5), (1, 3), (0, 2), (1, 1)),
]


def out_size(size, window, ceil):
    result = []
    for s, k, stride, pad, dilation in zip(size, *window, strict=True):
        span = s + 2 * pad - dilation * (k - 1) - 1
        out = (-(-span // stride) if ceil else span // stride) + 1
        result.append(out - (ceil and (out - 1) * stride >= s + pad))
    return tuple(result)


def integers(rng, shape):
    """Small whole numbers: ties everywhere, and sums of a few are exact."""
    return rng.integers(-3, 4, shape).astype(np.float32)


@pytest.mark.parametrize("c", CHANNELS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("ceil", [False, True])
def test_max_pool(c, window, ceil):
    rng = np.random.default_rng(c)
    x = integers(rng, (2, 7, 11, c))
    x[rng.random(x.shape) < 0.02] = np.nan
    x[rng.random(x.shape) < 0.1] = -np.inf
    check_max_pool(x, window, ceil)


@pytest.mark.parametrize("c", (1, 3, 16, 37))
@pytest.mark.parametrize("size, window", [
    ((32, 33), ((16, 16), (16, 16), (0, 0), (1, 1))),  # as many places as a byte can name
    ((27, 26), ((13, 12), (15, 13), (2, 0), (1, 1))),
    ((19, 21), ((11, 13), (5, 4), (3, 2), (1, 1))),
    ((11, 12), ((14, 13), (1, 1), (6, 5), (1, 1))),
    ((31, 29), ((12, 14), (9, 14), (4, 0), (2, 2))),
])
def test_winners_at_any_place_of_a_large_window(c, size, window):
    x = np.random.default_rng(c).standard_normal((2, *size, c)).astype(np.float32)
    places = check_max_pool(x, window, ceil=False)
    assert places.min() < 128 <= places.max()


def check_max_pool(x, window, ceil):
    """All kernels beside the loops; the winners' places."""
    n, *size, c = x.shape
    out = out_size(size, window, ceil)
    rng = np.random.default_rng(c)
    x.flags.writeable = False
    d = [n, *size, c, *window[0], *window[1], *window[2], *window[3], *out]
    y = blank((n, *out, c))
    offsets = blank(y.shape, np.uint8)
    call_all_threads("max_pool2d_forward", [x, y, offsets], d)
    expected, expected_offsets = reference.max_pool(x, out, *window)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(offsets, expected_offsets)
    plain = blank_like(y)
    call("max_pool2d_infer", [x, plain], d)
    np.testing.assert_array_equal(plain, y)
    check_normed(x, d, y.shape)
    dy = integers(rng, y.shape)
    dy.flags.writeable = offsets.flags.writeable = False
    dx = blank(x.shape)
    call_all_threads("max_pool2d_backward", [dy, offsets, dx], d)
    np.testing.assert_array_equal(
        dx, reference.max_pool_grad(dy, offsets, size, *window))
    return offsets


def check_normed(x, d, shape):
    """Read through a norm and a ReLU: the bits of pooling what the norm gives."""
    c = x.shape[3]
    _, _, *vectors = test_batch_norm.problem(2, c)
    mean, var = test_batch_norm.statistics(integers(np.random.default_rng(c), (9, c)))
    norm, eps, z = [mean, var, *vectors], [test_batch_norm.EPS], blank_like(x)
    call("batch_norm_apply_relu", [x, *norm, z], [x[..., 0].size, c], eps)
    (y, expected), (offsets, places) = (
        [blank(shape, kind) for _ in range(2)] for kind in (np.float32, np.uint8))
    call("max_pool2d_forward", [z, expected, places], d)
    call_all_threads("norm_max_pool2d_forward", [x, *norm, y, offsets], d, eps)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(offsets, places)


def test_max_pool_window_beside_the_input():
    """Dilation can lay all of a window on padding: -inf, and no gradient goes anywhere."""
    x = np.ones((1, 1, 1, 3), np.float32)
    d = [1, 1, 1, 3, 2, 1, 1, 1, 1, 0, 3, 1, 1, 1]
    y, offsets, dx = np.zeros_like(x), np.ones(x.shape, np.uint8), np.ones_like(x)
    call("max_pool2d_forward", [x, y, offsets], d)
    assert (y == -np.inf).all() and (offsets == 0).all()
    call("max_pool2d_backward", [x, offsets, dx], d)
    assert (dx == 0).all()


@pytest.mark.parametrize("c", CHANNELS)
@pytest.mark.parametrize("window", [w for w in WINDOWS if w[3] == (1, 1)])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("count_include_pad, divisor", [(0, 0), (1, 0), (0, 5)])
def test_avg_pool(c, window, ceil, count_include_pad, divisor):
    rng = np.random.default_rng(c)
    n, size = 2, (7, 11)
    kernel, stride, pad, _ = window
    pads = ((pad[0], pad[0] + 1), (pad[1], pad[1]))
    out = out_size(size, window, ceil)
    x, dy = rng.normal(size=(n, *size, c)), rng.normal(size=(n, *out, c))
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    x.flags.writeable = dy.flags.writeable = False
    d = [n, *size, c, *kernel, *stride, *pad, *out, count_include_pad, divisor,
         pads[0][1], pads[1][1]]
    windows = list(reference.average_windows(
        size, out, kernel, stride, pads, count_include_pad, divisor))
    y, dx = blank(dy.shape), blank(x.shape)
    call_all_threads("avg_pool2d_forward", [x, y], d)
    call_all_threads("avg_pool2d_backward", [dy, dx], d)
    # sums of at most 9 terms: a few units in the last place of the largest term
    np.testing.assert_allclose(y, reference.average(x, out, windows), rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(dx, reference.average_grad(dy, size, windows), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("c", CHANNELS)
@pytest.mark.parametrize("size, out", [((7, 5), (1, 1)), ((7, 5), (3, 2)), ((8, 6), (4, 3)),
                                       ((3, 4), (7, 7)), ((6, 1), (6, 1))])
def test_adaptive_avg_pool(c, size, out):
    rng = np.random.default_rng(c)
    x, dy = rng.normal(size=(2, *size, c)), rng.normal(size=(2, *out, c))
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    x.flags.writeable = dy.flags.writeable = False
    y, dx = blank(dy.shape), blank(x.shape)
    d = [2, *size, c, *out]
    call_all_threads("adaptive_avg_pool2d_forward", [x, y], d)
    call_all_threads("adaptive_avg_pool2d_backward", [dy, dx], d)
    windows = list(reference.adaptive_windows(size, out))
    # at most 35 terms per sum
    np.testing.assert_allclose(y, reference.average(x, out, windows), rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(dx, reference.average_grad(dy, size, windows), rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("c, out", [(64, (16, 16)), (10, (24, 24))])
def test_large_problem_has_the_same_bits_with_a_team(c, out):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 2 * out[0], 2 * out[1], c)).astype(np.float32)
    y, dx = blank((4, *out, c)), blank_like(x)
    offsets = blank(y.shape, np.uint8)
    d = [4, *x.shape[1:], 3, 3, 2, 2, 1, 1, 1, 1, *out]
    call_all_threads("max_pool2d_forward", [x, y, offsets], d)
    call_all_threads("max_pool2d_backward", [y, offsets, dx], d)


def test_window_too_large_for_a_byte():
    with pytest.raises(ValueError, match="256"):
        registry.KERNELS["max_pool2d_forward"].extents(
            [1, 40, 40, 1, 17, 16, 1, 1, 0, 0, 1, 1, 24, 25], 1)
