"""Every other kernel with shapes and arguments drawn at random, against its float64 twin.

Where the test of a kernel is a function of shapes, it is run here on shapes of any size; what is
particular to a size (tiles, vectors, chunks) is listed there.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels import (
    test_batch_norm,
    test_copy,
    test_group_norm,
    test_nll,
    test_optimizer,
    test_pointwise,
    test_random,
    test_reduce,
    test_row_norms,
    test_softmax,
)
from tests._kernels.call import COVERED, call, call_all_threads, covers
from tests._kernels.test_pool import check_normed, integers, out_size
from tests.memory import blank, blank_like
from tests.reference import dropout as dropout_twin
from tests.reference import pool as pool_twin
from tests.reference.pointwise import UNARY, slope

some = settings(max_examples=settings().max_examples * 6 // 10)  # all but the cheapest kernels
small, channels = st.integers(1, 12), st.integers(1, 40)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@covers("max_pool2d_forward", "max_pool2d_infer", "max_pool2d_backward",
        "norm_max_pool2d_forward")
@some
@given(st.data(), pairs(1, 4), pairs(1, 5), pairs(1, 3), st.booleans())
def test_max_pool(data, kernel, stride, dilation, ceil):
    """Small whole numbers: ties in most windows, which the first winner takes; exact sums."""
    draw = data.draw
    n, c, size = draw(st.integers(1, 3)), draw(channels), draw(st.tuples(small, small))
    pad = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    window = kernel, stride, pad, dilation
    assume(all(size[i] + 2 * pad[i] > dilation[i] * (kernel[i] - 1) for i in (0, 1)))
    out = out_size(size, window, ceil)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, dy = integers(rng, (n, *size, c)), integers(rng, (n, *out, c))
    x.flags.writeable = dy.flags.writeable = False
    d = [n, *size, c, *kernel, *stride, *pad, *dilation, *out]
    y, plain, dx, offsets = blank_like(dy), blank_like(dy), blank_like(x), blank(dy.shape, np.uint8)
    call_all_threads("max_pool2d_forward", [x, y, offsets], d)
    expected, expected_offsets = pool_twin.max_pool(x, out, *window)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(offsets, expected_offsets)
    call("max_pool2d_infer", [x, plain], d)
    np.testing.assert_array_equal(plain, y)
    check_normed(x, d, y.shape)
    # A window of padding alone has no winner: its offset is 0, which may lie outside of the input.
    assume(np.isfinite(expected).all())
    call_all_threads("max_pool2d_backward", [dy, offsets, dx], d)
    np.testing.assert_array_equal(dx, pool_twin.max_pool_grad(dy, offsets, size, *window))


@covers("avg_pool2d_forward", "avg_pool2d_backward")
@some
@given(st.data(), pairs(1, 5), pairs(1, 5), st.booleans(), st.booleans(), st.integers(0, 9))
def test_avg_pool(data, kernel, stride, ceil, include, divisor):
    draw = data.draw
    n, c, size = draw(st.integers(1, 3)), draw(channels), draw(st.tuples(small, small))
    pads = tuple((draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))) for k in kernel)
    spans = [s + sum(p) - k for s, p, k in zip(size, pads, kernel, strict=True)]
    assume(min(spans) >= 0)
    out = [-(-span // s) + 1 if ceil else span // s + 1
           for span, s in zip(spans, stride, strict=True)]
    out = tuple(o - ((o - 1) * s >= length + p[0])
                for o, s, length, p in zip(out, stride, size, pads, strict=True))
    d = [n, *size, c, *kernel, *stride, pads[0][0], pads[1][0], *out, include, divisor,
         pads[0][1], pads[1][1]]
    windows = list(pool_twin.average_windows(size, out, kernel, stride, pads, include, divisor))
    _check_averages("avg_pool2d", (n, *size, c), (n, *out, c), d, windows)


@covers("adaptive_avg_pool2d_forward", "adaptive_avg_pool2d_backward")
@some
@given(st.integers(1, 3), channels, st.tuples(small, small), st.tuples(small, small))
def test_adaptive_avg_pool(n, c, size, out):
    windows = list(pool_twin.adaptive_windows(size, out))
    _check_averages("adaptive_avg_pool2d", (n, *size, c), (n, *out, c), [n, *size, c, *out],
                    windows)


def _check_averages(name, x_shape, y_shape, d, windows):
    rng = np.random.default_rng(0)
    x, dy = integers(rng, x_shape), integers(rng, y_shape)
    x.flags.writeable = dy.flags.writeable = False
    y, dx = blank_like(dy), blank_like(x)
    call_all_threads(f"{name}_forward", [x, y], d)
    call_all_threads(f"{name}_backward", [dy, dx], d)
    # sums of whole numbers up to 3 are exact; what is left is the rounding of the shares
    np.testing.assert_allclose(y, pool_twin.average(x, y_shape[1:3], windows),
                               rtol=3e-7, atol=1e-6)
    np.testing.assert_allclose(dx, pool_twin.average_grad(dy, x_shape[1:3], windows),
                               rtol=3e-7, atol=4e-6)


@covers("batch_norm_stats", "batch_norm_apply", "batch_norm_apply_relu",
        "batch_norm_apply_add_relu", "batch_norm_apply_both_relu", "batch_norm_backward",
        "batch_norm_relu_backward", "batch_norm_eval_backward", "batch_norm_eval_relu_backward",
        "batch_norm_grad_input", "batch_norm_relu_grad_input")
@some
@given(st.integers(1, 400), st.integers(1, 90), st.booleans(), st.booleans())
def test_batch_norm_of_any_shape(m, c, relu, constant):
    test_batch_norm.test_stats(m, c)
    test_batch_norm.test_apply(m, c)
    test_batch_norm.test_apply_add_relu(m, c)
    test_batch_norm.test_apply_both_relu(m, c)
    test_batch_norm.test_backward(m, c, relu, constant)


@covers("batch_norm_update")
@given(st.integers(2, 10**12), channels, st.sampled_from([0.0, 0.1, 1.0, -1.0, None]),
       st.integers(0, 10**6))
def test_running_statistics(m, c, momentum, seen):
    mean, var, *running = np.random.default_rng(c).uniform(0.5, 2, (4, c)).astype(np.float32)
    before, batches = [a.astype(np.float64) for a in running], np.array([seen])
    call("batch_norm_update", [mean, var, *running, batches], [m, c, momentum is None],
         [momentum or 0.0])
    assert batches[0] == seen + 1
    share = 1 / (seen + 1) if momentum is None else momentum
    for new, old, now in zip(running, before, (mean, var * (m / (m - 1))), strict=True):
        np.testing.assert_allclose(new, share * now + (1 - share) * old, rtol=4e-7, atol=4e-7)


@covers("layer_norm_forward", "layer_norm_backward", "rms_norm_forward", "rms_norm_backward")
@some
@given(st.integers(0, 300), st.integers(1, 200), st.booleans(), st.booleans())
def test_norms_of_rows_of_any_shape(rows, n, affine, centered):
    test_row_norms.test_layer_norm(rows, n, affine)
    test_row_norms.test_rms_norm(rows, n, affine)
    test_row_norms.test_backward(rows, n, affine, centered)


@covers("group_norm_forward", "group_norm_backward", "group_norm_rows_forward",
        "group_norm_rows_backward")
@some
@given(st.tuples(st.integers(0, 9), st.integers(1, 200), st.integers(1, 9), st.integers(1, 30)),
       st.booleans())
def test_group_norm_of_any_shape(shape, rows):
    test_group_norm.test_forward(shape, rows)
    test_group_norm.test_backward(shape, rows)


@covers("softmax_forward", "log_softmax_forward", "softmax_backward", "log_softmax_backward")
@some
@given(st.integers(1, 300), st.integers(1, 150), st.floats(-1e3, 1e3, width=32))
def test_softmax_of_any_shape(rows, classes, offset):
    test_softmax.test_softmax(rows, classes, offset)
    test_softmax.test_softmax_backward(rows, classes)


@covers("cross_entropy_forward", "cross_entropy_backward")
@some
@given(st.integers(1, 600), st.integers(1, 60), st.sampled_from([0, 1, 2]), st.integers(0, 1),
       st.floats(0.0, 0.9), st.lists(st.sampled_from(test_softmax.OFFSETS), min_size=1, max_size=3))
def test_cross_entropy_of_any_shape(rows, classes, reduction, weighted, smoothing, offsets):
    test_softmax.test_cross_entropy(rows, classes, reduction, weighted, smoothing, offsets)


@covers("reduce_sum")
@given(st.integers(0, 40), st.integers(0, 300), st.integers(0, 40), st.sampled_from([0.0, 3.0]))
def test_sums_of_any_shape(outer, reduce, inner, mean):
    test_reduce.test_reduce_sum(outer, reduce, inner, mean)


@covers("sum_of_squares")
@some
@given(st.lists(st.integers(0, 200) | st.integers(32_000, 66_000), max_size=7))
def test_sums_of_squares_of_any_sizes(sizes):
    test_reduce.test_sum_of_squares(sizes)


@covers("all_finite")
@some
@given(st.integers(0, 40_000))
def test_all_finite_of_any_size(n):
    test_reduce.test_all_finite(n)


@st.composite
def layout(draw, shape, distinct):
    """Strides, offset and size of a tensor in any order of axes, with gaps, maybe backwards.

    distinct: elements lie apart. Otherwise an axis may be expanded, with a stride of 0.
    """
    strides, step = [0] * len(shape), 1
    for axis in draw(st.permutations(range(len(shape)))):
        if not distinct and draw(st.integers(0, 4)) == 0:
            continue
        step *= draw(st.sampled_from([1, 1, 1, 2, 3]))
        strides[axis] = step if distinct or draw(st.integers(0, 3)) else -step
        step *= max(shape[axis], 1)
    offset = draw(st.integers(0, 5)) - sum(
        max(n - 1, 0) * s for n, s in zip(shape, strides, strict=True) if s < 0)
    reach = sum(max(n - 1, 0) * s for n, s in zip(shape, strides, strict=True) if s > 0)
    return strides, offset, offset + max(reach, 0) + 1


@covers("copy")
@given(st.data(), st.lists(st.integers(0, 7) | st.integers(15, 18), max_size=5))
def test_copies_of_any_strides(data, shape):
    assume(np.prod(shape, dtype=np.int64) <= 3000)
    x_strides, x_offset, x_size = data.draw(layout(shape, distinct=False))
    y_strides, y_offset, y_size = data.draw(layout(shape, distinct=True))
    test_copy.check(x_size, y_size, x_offset, y_offset, shape, x_strides, y_strides)


@covers("binary")
@given(st.data(), st.lists(st.integers(0, 6) | st.integers(15, 18), max_size=5))
def test_broadcasts_of_any_shape(data, shape):
    assume(np.prod(shape, dtype=np.int64) <= 200_000)
    a, b = (tuple(1 if data.draw(st.integers(0, 3)) == 0 else size
                  for size in shape[data.draw(st.integers(0, len(shape))):]) for _ in range(2))
    test_pointwise.test_binary_broadcast(a, b)


@covers("unary_forward", "unary_backward")
@given(st.sampled_from(sorted(test_pointwise.ROWS)), st.integers(0, 200), st.integers(0, 99))
def test_functions_of_any_length(name, n, seed):
    rng, s = np.random.default_rng(seed), test_pointwise.ARGUMENTS.get(name, ())
    x = (rng.uniform(0.1, 4, n) * rng.choice([-1, 1], n)).astype(np.float32)  # away from kinks
    x = np.abs(x) if name in test_pointwise.POSITIVE else x
    dy = rng.standard_normal(n).astype(np.float32)
    y, dx = blank_like(x), blank_like(x)
    x.flags.writeable = dy.flags.writeable = False
    call_all_threads("unary_forward", [x, y], [n, test_pointwise.ROWS[name]], s)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(y, UNARY[name](exact, *s), rtol=2e-6, atol=5e-7)
    saved = x if test_pointwise.SAVED[name] == "x" else y
    saved.flags.writeable = False
    call_all_threads("unary_backward", [saved, dy, dx], [n, test_pointwise.ROWS[name]], s)
    # as in test_gradient: the twin is a difference, a saved y has float32's rounding
    np.testing.assert_allclose(dx, dy * slope(name, exact, s), rtol=2e-5, atol=3e-6)


@covers("add_n", "fill")
@given(st.integers(1, 9), st.integers(0, 5000))
def test_sums_of_any_number_of_tensors(k, n):
    test_pointwise.test_add_n(k, n)
    test_pointwise.test_fill(n)


@covers("add_n_unary_backward")
@given(st.integers(2, 9), st.integers(0, 5000), st.sampled_from(["relu", "tanh", "silu"]))
def test_gradients_of_sums_of_any_number_of_tensors(k, n, name):
    test_pointwise.test_gradient_of_a_sum_is_that_of_its_parts(k, n, name)


@covers(*test_optimizer.ROWS)
@some
@given(st.sampled_from(sorted(test_optimizer.ROWS)), st.lists(st.integers(0, 200) | st.integers(
    16_000, 17_000), min_size=1, max_size=6))
def test_optimizers_of_any_sizes(name, sizes):
    test_optimizer.test_steps(name, sizes)


@covers("muon_direction")
@given(st.integers(0, 70_000), st.sampled_from([0.5, 0.9, 1.0]))
def test_muons_direction_of_any_size(size, mix):
    test_optimizer.test_muons_direction(size, {"scale": -0.5, "limit": 0.5, "mix": mix})


@covers("dropout")
@some
@given(st.integers(0, 300), st.integers(0, 1000), st.integers(0, 2**64 - 1),
       st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_dropout_of_any_key(n, per_mille, seed, step, node):
    p = per_mille / 1000
    x, y = np.random.default_rng(0).standard_normal(n).astype(np.float32), blank(n)
    x.flags.writeable = False
    call_all_threads("dropout", [x, y, np.array([seed, step], np.uint64)], [n, node], [p])
    scale = np.float32(1 / (1 - p) if p < 1 else 0)
    expected = np.where(dropout_twin.kept(n, p, seed, step, node), x * scale, np.float32(0))
    np.testing.assert_array_equal(y, expected)


@covers("random_uniform", "random_normal")
@some
@given(st.sampled_from(test_random.KINDS), st.integers(0, 300), st.integers(0, 2**64 - 1),
       st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_random_numbers_of_any_key(kind, n, seed, step, node):
    test_random.check(kind, n, seed, step, node)


@covers("nll_forward", "nll_backward")
@some
@given(st.integers(1, 5000), st.integers(1, 60), st.sampled_from([0, 1, 2]), st.integers(0, 1))
def test_nll_of_any_shape(rows, classes, reduction, weighted):
    test_nll.test_nll(rows, classes, reduction, weighted)


def test_every_kernel_is_drawn_at_random():
    for path in Path(__file__).parent.glob("test_*.py"):
        import_module(f"{__package__}.{path.stem}")
    missing = set(registry.names()) - COVERED
    assert not missing, f"no test that @covers {sorted(missing)} with random shapes"
