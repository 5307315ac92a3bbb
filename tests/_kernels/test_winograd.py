"""Winograd kernels against float64: edges of tiles, blocks of tiles, any padding and channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels import test_batch_norm
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import sizes
from tests.memory import blank, blank_like
from tests.reference import batch_norm as norm_reference
from tests.reference import conv2d as reference

LAYERS = {
    "whole tiles and vectors": ((3, 8, 12, 16, 32), (1, 1, 1, 1), 1, 1),
    "part tiles and vectors": ((3, 7, 5, 17, 33), (1, 1, 1, 1), 1, 0),
    "one tile": ((1, 3, 3, 1, 1), (0, 0, 0, 0), 0, 0),
    "one pixel": ((2, 1, 1, 5, 3), (1, 1, 1, 1), 1, 1),
    "no padding": ((2, 10, 9, 20, 24), (0, 0, 0, 0), 0, 0),
    "asymmetric": ((2, 10, 9, 20, 24), (0, 2, 1, 0), 0, 0),
    "padding wider than the filter": ((1, 6, 5, 8, 9), (4, 3, 5, 3), 0, 0),
    "depth in blocks": ((2, 5, 6, 300, 40), (1, 1, 1, 1), 0, 1),
    "columns in parts": ((1, 8, 8, 24, 300), (1, 1, 1, 1), 1, 0),
    "blocks of tiles": ((7, 32, 32, 64, 48), (1, 1, 1, 1), 0, 0),
    # from here on the transformed weights are beyond the last cache, and go in bands
    "bands": ((1, 5, 5, 523, 517), (1, 1, 1, 1), 1, 1),
    "bands and blocks": ((215, 2, 1, 351, 341), (1, 1, 1, 1), 1, 0),
    "whole bands": ((3, 4, 4, 512, 480), (1, 1, 1, 1), 0, 0),
    "more threads than bands": ((2, 5, 5, 1300, 90), (0, 1, 2, 1), 0, 1),
}


def assert_close(got, expected):
    """The largest error of F(4x4, 3x3) in units of the RMS, for sums of up to a few thousand.

    Transforms add up to six values and multiply by up to 2.5: in all about four times the error
    of the direct sum, which is measured as 2e-6 here.
    """
    rms = np.sqrt(np.mean(expected ** 2))
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * max(rms, 1e-30))


def check(d, run):
    v = reference.Conv(*d)
    rng = np.random.default_rng(sum(d))
    shapes = ((v.n, v.h, v.w, v.c), (v.k, 3, 3, v.c), (v.k if v.has_bias else 0,),
              (v.n, v.oh, v.ow, v.k))
    x, weight, bias, dy = (rng.standard_normal(s, dtype=np.float32) for s in shapes)
    for array in (x, weight, bias, dy):
        array.flags.writeable = False
    y, dx, dw = (np.full(a.shape, np.nan, np.float32) for a in (dy, x, weight))
    run("winograd_forward", [x, weight, bias, y], d)
    assert_close(y, reference.conv2d_forward(x, weight, bias, d))
    run("winograd_grad_input", [dy, weight, dx], d)
    assert_close(dx, reference.conv2d_grad_input(dy, weight, d))
    run("winograd_grad_weight", [x, dy, dw], d)
    assert_close(dw, reference.conv2d_grad_weight(x, dy, d))
    check_statistics(d, run, x, weight, bias, y)
    check_gradient_sums(d, run, dy, weight, dx)
    check_shortcut(d, run, dy, weight, dx)
    check_normed(d, run, x, weight, bias, dy)
    check_joined(d, run, x, weight, bias, dy)


def check_statistics(d, run, x, weight, bias, expected):
    """The same y to the bit, and the moments of just that y."""
    y, (mean, var) = blank_like(expected), blank((2, weight.shape[0]))
    run("winograd_forward_stats", [x, weight, bias, y, mean, var], d)
    np.testing.assert_array_equal(y, expected)
    expected_mean, expected_var = norm_reference.stats(y.reshape(-1, y.shape[3]))
    test_batch_norm.close(mean, expected_mean, 1e-6, np.sqrt(expected_mean**2 + expected_var))
    test_batch_norm.close(var, expected_var, 2e-6)


def check_gradient_sums(d, run, dy, filters, expected):
    """The same dx to the bit, and the gradients of a norm, with and without a ReLU behind it."""
    m, c = expected[..., 0].size, expected.shape[3]
    x, _, weight, bias = test_batch_norm.problem(m, c)
    mean, var = test_batch_norm.statistics(x)
    for relu in (False, True):
        dx, (dweight, dbias) = blank_like(expected), blank((2, c))
        run("winograd_grad_input_sums", [dy, filters, x, mean, var, weight, bias, dx, dweight,
                                         dbias], (*d[:-1], int(relu)), [test_batch_norm.EPS])
        np.testing.assert_array_equal(dx, expected)
        mask = 1.0
        if relu:  # to the bit that of the norm
            z = blank_like(x)
            call("batch_norm_apply_relu", [x, mean, var, weight, bias, z], [m, c],
                 [test_batch_norm.EPS])
            mask = z > 0
        _, *sums = norm_reference.backward(expected.reshape(m, c), x, mean, var, weight,
                                           test_batch_norm.EPS, mask)
        terms = np.sqrt(m * np.mean(expected.astype(np.float64)**2)) * np.ones(1)
        test_batch_norm.close(dweight, sums[0], 1e-6, terms)
        test_batch_norm.close(dbias, sums[1], 1e-6, terms)


def check_shortcut(d, run, dy, filters, without):
    """The bits of adding the shortcut to dx and masking the sum, and the gradients of a norm."""
    m, c = without[..., 0].size, without.shape[3]
    x, shortcut, _, _ = test_batch_norm.problem(m, c)
    mean, var = test_batch_norm.statistics(x)
    out = np.maximum(np.roll(shortcut, 1), 0)
    expected = np.where(out.reshape(without.shape) > 0, without + shortcut.reshape(without.shape),
                        np.float32(0))
    dx, (dweight, dbias) = blank_like(expected), blank((2, c))
    run("winograd_grad_input_shortcut",
        [dy, filters, shortcut, out, x, mean, var, dx, dweight, dbias], d, [test_batch_norm.EPS])
    np.testing.assert_array_equal(dx, expected)
    _, *sums = norm_reference.backward(expected.reshape(m, c), x, mean, var, np.ones(c),
                                       test_batch_norm.EPS, 1.0)
    terms = np.sqrt(m * np.mean(expected.astype(np.float64)**2)) * np.ones(1)
    test_batch_norm.close(dweight, sums[0], 1e-6, terms)
    test_batch_norm.close(dbias, sums[1], 1e-6, terms)


def check_normed(d, run, x, filters, bias, dy):
    """Read through a norm and a ReLU: the bits of the layer on the norm's output."""
    c, k = x.shape[3], dy.shape[3]
    _, _, norm_weight, norm_bias = test_batch_norm.problem(2, c)
    x = x * 3 + 1
    mean, var = test_batch_norm.statistics(x.reshape(-1, c))
    norm, eps, z = [mean, var, norm_weight, norm_bias], [test_batch_norm.EPS], blank_like(x)
    call("batch_norm_apply_relu", [x, *norm, z], [x[..., 0].size, c], eps)
    y, expected, dw, expected_dw = (blank_like(a) for a in (dy, dy, filters, filters))
    moments, expected_moments = blank((2, k)), blank((2, k))
    call("winograd_forward_stats", [z, filters, bias, expected, *expected_moments], d)
    run("winograd_forward_normed", [x, *norm, filters, bias, y], d, eps)
    np.testing.assert_array_equal(y, expected)
    y.fill(np.nan)
    run("winograd_forward_normed_stats", [x, *norm, filters, bias, y, *moments], d, eps)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(moments, expected_moments)
    call("winograd_grad_weight", [z, dy, expected_dw], d)
    run("winograd_grad_weight_normed", [x, *norm, dy, dw], d, eps)
    np.testing.assert_array_equal(dw, expected_dw)


def check_joined(d, run, x, filters, bias, dy):
    """Two inputs side by side, each behind a norm or not: the bits of the layer on the joined."""
    c, k = x.shape[3], dy.shape[3]
    if c <= 16:
        return
    first = c // 2 // 16 * 16 or 16
    d = (*d[:-1], 0)
    _, _, norm_weight, norm_bias = test_batch_norm.problem(2, c)
    eps = [test_batch_norm.EPS, 10 * test_batch_norm.EPS]
    for normed in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inputs, joined = [], []
        for number, channels in enumerate((slice(0, first), slice(first, c))):
            part = np.ascontiguousarray(x[..., channels])
            norm = [np.empty(0, np.float32)] * 4
            if normed[number]:
                mean, var = test_batch_norm.statistics(part.reshape(-1, part.shape[3]))
                norm = [mean, var, norm_weight[channels].copy(), norm_bias[channels].copy()]
                z = blank_like(part)
                call("batch_norm_apply_relu", [part, *norm, z],
                     [part[..., 0].size, part.shape[3]], eps[number:number + 1])
                joined.append(z)
            else:
                joined.append(part)
            inputs += [part, *norm]
        y, expected, moments, expected_moments = (
            blank(shape) for shape in (dy.shape, dy.shape, (2, k), (2, k)))
        whole = np.concatenate(joined, axis=3)
        call("winograd_forward_stats", [whole, filters, bias, expected, *expected_moments], d)
        run("winograd_forward_joined", [*inputs, filters, bias, y], (*d, first, *normed), eps)
        np.testing.assert_array_equal(y, expected)
        y.fill(np.nan)
        run("winograd_forward_joined_stats", [*inputs, filters, bias, y, *moments],
            (*d, first, *normed), eps)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(moments, expected_moments)


@pytest.mark.parametrize("offset", [1e4, -3e3])
def test_statistics_of_a_large_mean(offset):
    """E[y^2] - E[y]^2 has no correct digit here: the bias moves y far from zero."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 16, 12, 20), dtype=np.float32)
    weight = rng.standard_normal((40, 3, 3, 20), dtype=np.float32)
    bias = np.full(40, offset, np.float32)
    y, (mean, var) = blank((4, 16, 12, 40)), blank((2, 40))
    call("winograd_forward_stats", [x, weight, bias, y, mean, var],
         sizes(4, 16, 12, 20, 40, (3, 3), pad=(1, 1, 1, 1), has_bias=1))
    expected_mean, expected_var = norm_reference.stats(y.reshape(-1, 40))
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-7)
    np.testing.assert_allclose(var, expected_var, rtol=2e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer, stride):
    size, pad, has_bias, relu = LAYERS[layer]
    check(sizes(*size, (3, 3), (stride, stride), pad, has_bias=has_bias, relu=relu),
          call_all_threads)


@st.composite
def arguments(draw, channels):
    """Any image, padding and stride that leave at least one output pixel."""
    stride = draw(st.integers(1, 2))
    pad = tuple(draw(st.integers(0, 3)) for _ in range(4))
    h = draw(st.integers(max(1, 3 - pad[0] - pad[2]), 13))
    w = draw(st.integers(max(1, 3 - pad[1] - pad[3]), 13))
    n, c, k = draw(st.integers(1, 3)), draw(channels), draw(channels)
    return sizes(n, h, w, c, k, (3, 3), (stride, stride), pad, has_bias=draw(st.integers(0, 1)),
                 relu=draw(st.integers(0, 1)))


@covers("winograd_forward", "winograd_grad_input", "winograd_grad_weight",
        "winograd_forward_stats", "winograd_grad_input_sums", "winograd_grad_input_shortcut",
        "winograd_forward_normed", "winograd_forward_normed_stats", "winograd_grad_weight_normed",
        "winograd_forward_joined", "winograd_forward_joined_stats")
@given(arguments(st.integers(1, 70)))
def test_random_arguments(d):
    check(d, call)


@settings(max_examples=max(1, settings().max_examples // 20))  # each takes seconds
@given(arguments(st.integers(345, 420)))
def test_random_arguments_in_bands(d):
    check(d, call)


@pytest.mark.parametrize("part", ["forward", "grad_input", "grad_weight"])
def test_workspace_of_many_channels(part):
    """ResNet-18's last layers: 36 MiB of transformed weights are never whole."""
    d = sizes(128, 4, 4, 512, 512, (3, 3), pad=(1, 1, 1, 1))
    one, two = (registry.kernel(f"winograd_{part}").extents(d, threads)[-1] for threads in (1, 2))
    assert one < two <= 24 << 20


def test_more_threads_than_shares():
    """Beyond 64 threads some have a share of the blocks together."""
    d = sizes(1500, 16, 16, 16, 16, (3, 3), pad=(1, 1, 1, 1))
    x = np.random.default_rng(0).standard_normal((1500, 16, 16, 16), dtype=np.float32)
    weight = np.random.default_rng(1).standard_normal((16, 3, 3, 16), dtype=np.float32)
    one, many = np.full_like(x, np.nan), np.full_like(x, np.nan)
    for threads, y in ((1, one), (70, many)):
        call("winograd_forward", [x, weight, np.empty(0, np.float32), y], d, threads=threads)
    np.testing.assert_array_equal(one, many)


def test_constants_are_kept():
    """A filter of one 1 copies its input: the transforms are exact to rounding of one value."""
    x = np.random.default_rng(0).standard_normal((2, 9, 9, 16), dtype=np.float32)
    weight = np.zeros((16, 3, 3, 16), np.float32)
    weight[np.arange(16), 1, 1, np.arange(16)] = 1
    y = np.empty_like(x)
    call("winograd_forward", [x, weight, np.empty(0, np.float32), y],
         sizes(2, 9, 9, 16, 16, (3, 3), pad=(1, 1, 1, 1)))
    np.testing.assert_allclose(y, x, atol=4e-6)


@pytest.mark.parametrize("arguments", [
    {"kernel": (5, 5)}, {"stride": (2, 1)}, {"dilation": (1, 2)}, {"groups": 2}])
def test_other_convolutions_are_refused(arguments):
    d = sizes(2, 9, 9, 8, 8, **{"kernel": (3, 3)} | arguments)
    for name in ("winograd_forward", "winograd_grad_input", "winograd_grad_weight"):
        with pytest.raises(ValueError, match="winograd is for 3x3"):
            registry.kernel(name).extents(d, 1)
