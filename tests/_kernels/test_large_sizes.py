"""Shapes of more than 2^31 elements: sizes and offsets are of 64 bits everywhere.

Extents need no memory. Kernels that touch little of what they span run on it too: memory that is
only promised (`_sparse`), of which a few pages come into being.
"""

import mmap

import numpy as np
import pytest
from fastnn._kernels.call import call_kernel
from fastnn._kernels.optimizer.optimizer import optimizer_rows

from fastnn._kernels import registry
from fastnn._kernels.conv import direct
from fastnn._kernels.winograd import passes
from tests._kernels.test_pointwise import PAIRS
from tests.memory import blank
from tests.reference import copy as copy_twin

M, C = 3 * 2**30 + 1, 17                # rows and channels of a matrix
N, H, W, K = 70_001, 300, 201, 24       # images; 70,001 * 300 * 201 * 17 elements
PLACES, HALF = N * H * W, N * 150 * 101
F = 4                                   # bytes of a float
CONV = (N, H, W, C, K, 3, 3, 2, 2, 1, 1, 1, 1, 1, 150, 101, 1, 0)
ROWS = (N, H, W, C, K, 1, 1, 1, 1, 0, 0, 1, 1, 1, H, W, 1, 0)
WINOGRAD = (N, H, W, C, K, 3, 3, 1, 1, 1, 1, 1, 1, 1, H, W, 1, 0)
DEEP, WIDE = 70_001, 4800               # channels; whole vectors of outputs
FILTERS = (1, 4, 4, DEEP, WIDE, 3, 3, 1, 1, 1, 1, 1, 1, 1, 4, 4, 1, 0)
MAX_POOL = (N, H, W, C, 2, 2, 2, 2, 0, 1, 1, 1, 150, 101)
AVG_POOL = (N, H, W, C, 2, 2, 2, 2, 0, 1, 150, 101, 1, 0, 0, 0)
BACK_AND_FORTH = (2, 2**33, 7, 3, 5, -(2**32), 2, 5, 2**31)  # offsets, shape, strides of x, of y
TENSORS = (2, 2**31 + 5, 2**33)
MATRIX, ROW = F * M * C, F * C

# kernel: d, and the bytes of each pointer but the workspace, in Python's integers
CASES = {
    "batch_norm_stats": ((M, C), (MATRIX, ROW, ROW)),
    **{f"batch_norm_apply{relu}": ((M, C), (MATRIX, *[ROW] * 4, MATRIX)) for relu in ("", "_relu")},
    "batch_norm_apply_add_relu": ((M, C), (MATRIX, *[ROW] * 4, MATRIX, MATRIX)),
    "batch_norm_apply_both_relu": ((M, C), (*(MATRIX, *[ROW] * 4) * 2, MATRIX)),
    **{f"batch_norm{name}_backward": ((M, C), (MATRIX, MATRIX, *[ROW] * vectors, MATRIX, ROW, ROW))
       for name, vectors in (("", 3), ("_relu", 4), ("_eval", 3), ("_eval_relu", 4))},
    **{f"batch_norm{relu}_grad_input": ((M, C), (MATRIX, MATRIX, *[ROW] * vectors, MATRIX))
       for relu, vectors in (("", 5), ("_relu", 6))},
    "batch_norm_update": ((2, M, 0), (F * M, F * M, F * M, F * M, 8)),
    "layer_norm_forward": ((M, C, 1), (MATRIX, ROW, ROW, MATRIX, F * M, F * M)),
    "rms_norm_forward": ((M, C, 1), (MATRIX, ROW, MATRIX, F * M)),
    "layer_norm_backward": (
        (M, C, 1), (MATRIX, MATRIX, F * M, F * M, ROW, MATRIX, ROW, ROW)),
    "rms_norm_backward": ((M, C, 1), (MATRIX, MATRIX, F * M, ROW, MATRIX, ROW)),
    **{f"group_norm{rows}_forward": (d, (MATRIX, ROW, ROW, MATRIX, F * M, F * M))
       for rows, d in (("", (M, 1, 1, C)), ("_rows", (M, 1, C, 1)))},
    **{f"group_norm{rows}_backward": (d, (MATRIX, MATRIX, F * M, F * M, ROW, MATRIX, ROW, ROW))
       for rows, d in (("", (M, 1, 1, C)), ("_rows", (M, 1, C, 1)))},
    **{f"{way}_{part}": (CONV, spans) for way in ("conv2d", "blas") for part, spans in (
        ("forward", (F * PLACES * C, F * K * 9 * C, F * K, F * HALF * K)),
        ("grad_input", (F * HALF * K, F * K * 9 * C, F * PLACES * C)),
        ("grad_weight", (F * PLACES * C, F * HALF * K, F * K * 9 * C)))},
    "conv2d_grad_input_bias": (
        CONV, (F * HALF * K, F * K * 9 * C, F * C, F * PLACES * C)),
    "conv2d_forward_normed": (
        ROWS, (F * PLACES * C, *[F * C] * 4, F * K * C, F * K, F * PLACES * K)),
    "conv2d_grad_weight_normed": (
        ROWS, (F * PLACES * C, *[F * C] * 4, F * PLACES * K, F * K * C)),
    "conv2d_pack": (FILTERS, (F * DEEP * 9 * WIDE, F * DEEP * 9 * WIDE)),
    "conv2d_forward_packed": (
        CONV, (F * PLACES * C, direct.packed_size(CONV), F * K, F * HALF * K)),
    "conv2d_forward_normed_packed": (
        ROWS, (F * PLACES * C, *[F * C] * 4, direct.packed_size(ROWS), F * K, F * PLACES * K)),
    "winograd_pack": (FILTERS, (F * DEEP * 9 * WIDE, F * 36 * (DEEP * WIDE + 16))),
    "winograd_forward_packed": (
        WINOGRAD, (F * PLACES * C, passes.packed_size(WINOGRAD), F * K, F * PLACES * K)),
    "winograd_forward_normed_packed": (
        WINOGRAD, (F * PLACES * C, *[F * C] * 4, passes.packed_size(WINOGRAD), F * K,
                   F * PLACES * K)),
    "winograd_forward": (WINOGRAD, (F * PLACES * C, F * K * 9 * C, F * K, F * PLACES * K)),
    "winograd_grad_input": (WINOGRAD, (F * PLACES * K, F * K * 9 * C, F * PLACES * C)),
    **{f"winograd_forward_normed{stats}": (
        WINOGRAD, (F * PLACES * C, *[F * C] * 4, F * K * 9 * C, F * K, F * PLACES * K,
                   *[F * K] * (2 * bool(stats)))) for stats in ("", "_stats")},
    "winograd_grad_weight_normed": (
        WINOGRAD, (F * PLACES * C, *[F * C] * 4, F * PLACES * K, F * K * 9 * C)),
    **{f"winograd_forward_joined{stats}": (
        (*WINOGRAD, 16, 1, 0), (
            F * PLACES * 16, *[F * 16] * 4, F * PLACES * (C - 16), *[0] * 4, F * K * 9 * C, F * K,
            F * PLACES * K, *[F * K] * (2 * bool(stats)))) for stats in ("", "_stats")},
    "winograd_forward_stats": (
        WINOGRAD, (F * PLACES * C, F * K * 9 * C, F * K, F * PLACES * K, F * K, F * K)),
    "winograd_grad_input_sums": (
        (*WINOGRAD[:-1], 1), (
                   F * PLACES * K, F * K * 9 * C, F * PLACES * C, *[F * C] * 4, F * PLACES * C,
                   F * C, F * C)),
    "winograd_grad_input_shortcut": (
        WINOGRAD, (F * PLACES * K, F * K * 9 * C, *[F * PLACES * C] * 3, F * C, F * C,
                   F * PLACES * C, F * C, F * C)),
    "winograd_grad_weight": (WINOGRAD, (F * PLACES * C, F * PLACES * K, F * K * 9 * C)),
    "planar_forward": (WINOGRAD, (F * PLACES * C, F * K * 9 * C, F * K, F * PLACES * K)),
    "planar_grad_input": (WINOGRAD, (F * PLACES * K, F * K * 9 * C, F * PLACES * C)),
    "planar_grad_weight": (WINOGRAD, (F * PLACES * C, F * PLACES * K, F * K * 9 * C)),
    "copy": (BACK_AND_FORTH, (F * (2**33 + 4 * 2 + 1), F * (7 + 2 * 5 + 4 * 2**31 + 1))),
    "dropout": ((M, 3), (F * M, F * M, 16)),
    "random_uniform": ((M, 3), (16, F * M)),
    "random_normal": ((M, 3), (16, F * M)),
    "linear_forward": ((M, C, K, 1, 0, M), (MATRIX, F * K * C, F * K, F * M * K)),
    "linear_grad_input": ((M, C, K), (F * M * K, F * K * C, MATRIX)),
    "linear_grad_weight": ((M, C, K), (F * M * K, MATRIX, F * K * C)),
    "matmul": ((2, M, C, K, 0, 1, M), (2 * MATRIX, F * C * K, 2 * F * M * K)),
    "matmul_bt": ((2, M, C, K, 0, 0, M), (2 * MATRIX, 2 * F * C * K, 2 * F * M * K)),
    "matmul_at": ((2, C, M, K, 1, 0, C), (MATRIX, 2 * F * M * K, 2 * F * C * K)),
    **{name: ((*TENSORS, 0, 5), (
        8 * (numbers.count(",") + 1), *[8 * 6] * (1 + carries),
        *[F * n for n in TENSORS[1:] for _ in range(buffers)]))
       for name, numbers, buffers, carries in optimizer_rows()},
    "muon_direction": ((M,), (8 * 6, F * M, F * M, F * M)),
    "row_sums": ((5, 2**31 + 1, 7, -1), (5 * F * (2**31 + 1), 8 * 5, 5 * F * (2**31 + 1), 8 * 5)),
    "sgd_rows": ((M, C, 5, 2), (8 * 4, 8 * 3, MATRIX, 5 * ROW, 8 * 5)),
    "unary_forward": ((M, 0), (F * M, F * M)),
    "unary_backward": ((M, 0), (F * M, F * M, F * M)),
    "binary": ((0, 2, M, C, C, 1, 0, 1), (MATRIX, ROW, MATRIX)),
    "compare_index": ((0, 2, M, C, C, 1, 0, 1), (2 * MATRIX, 2 * ROW, MATRIX)),
    "float_of_index": ((M,), (2 * F * M, F * M)),
    "index_of_float": ((M,), (F * M, 2 * F * M)),
    "add_n": ((M, 3), (F * M,) * 4),
    "add_n_unary_backward": ((M, 3, 0), (F * M,) * 5),
    "fill": ((M,), (F * M,)),
    "prelu_forward": ((M, C, 1), (MATRIX, ROW, MATRIX)),
    "prelu_backward": ((M, C, 1), (MATRIX, MATRIX, ROW, MATRIX, ROW)),
    "max_pool2d_forward": (MAX_POOL, (F * PLACES * C, F * HALF * C, HALF * C)),
    "norm_max_pool2d_forward": (
        MAX_POOL, (F * PLACES * C, *[ROW] * 4, F * HALF * C, HALF * C)),
    "max_pool2d_infer": (MAX_POOL, (F * PLACES * C, F * HALF * C)),
    "max_pool2d_backward": (MAX_POOL, (F * HALF * C, HALF * C, F * PLACES * C)),
    "max_pool2d_places": (MAX_POOL, (F * PLACES * C, F * HALF * C, 8 * HALF * C)),
    "places_of_offsets": (MAX_POOL, (HALF * C, 8 * HALF * C)),
    **{f"{way}_at_places": ((N, HALF // N, PLACES // N, C),
                            (F * HALF * C, 8 * HALF * C, F * PLACES * C))
       for way in ("add", "put")},
    "read_at_places": ((N, HALF // N, PLACES // N, C),
                       (F * PLACES * C, 8 * HALF * C, F * HALF * C)),
    "avg_pool2d_forward": (AVG_POOL, (F * PLACES * C, F * HALF * C)),
    "avg_pool2d_backward": (AVG_POOL, (F * HALF * C, F * PLACES * C)),
    "adaptive_avg_pool2d_forward": ((N, H, W, C, 7, 5), (F * PLACES * C, F * N * 35 * C)),
    "adaptive_avg_pool2d_backward": ((N, H, W, C, 7, 5), (F * N * 35 * C, F * PLACES * C)),
    "take": ((N, H, W, C, 150, 101, 1, 2, 1, 0, 1), (
        F * PLACES * C, F * HALF * C, 8 * 150, 0, 8 * 202, F * 202)),
    "take_backward": ((3, M, 5, 1, C, -1, 0), (F * 15 * C, 8 * 5, 0, 3 * MATRIX)),
    "gather": ((3, M, 5, C, 2), (6 * MATRIX, 8 * 15 * C, 8 * 15 * C)),
    "gather_backward": ((3, 5, M, C, 1), (3 * MATRIX, 6 * MATRIX, F * 15 * C)),
    "places": ((0, 2, M, C, C, 1, 0, 1), (2 * MATRIX, 2 * ROW, 2 * MATRIX)),
    "reduce_sum": ((3, M, C), (3 * MATRIX, 3 * ROW)),
    "extreme": ((3, M, C, 1), (3 * MATRIX, 3 * ROW, 6 * ROW)),
    "scatter_places": ((3, M, C, 2), (6 * ROW, 12 * ROW, 3 * MATRIX)),
    "cumsum": ((3, M, C, 0), (3 * MATRIX, 3 * MATRIX)),
    "prod": ((3, M, C), (3 * MATRIX, 3 * ROW)),
    "prod_backward": ((3, M, C), (3 * MATRIX, 3 * ROW, 3 * MATRIX)),
    "sort_rows": ((M, C, 2, 1), (MATRIX, F * M * 2, 2 * F * M * 2)),
    "sum_of_squares": (TENSORS, (*(F * n for n in TENSORS[1:]), 8)),
    "all_finite": ((M,), (F * M, 8)),
    **{f"{log}softmax_{way}": ((M, C), (MATRIX,) * buffers)
       for log in ("", "log_") for way, buffers in (("forward", 2), ("backward", 3))},
    "cross_entropy_forward": ((M, C, 1, -100, 1), (MATRIX, 8 * M, ROW, F * M, F * M, F * M, F, F)),
    "cross_entropy_backward": (
        (M, C, 1, -100, 1), (MATRIX, 8 * M, ROW, F * M, F * M, F, F, MATRIX)),
    "nll_forward": ((M, C, 1, -100, 1), (MATRIX, 8 * M, ROW, F * M, F, F)),
    "nll_backward": ((M, C, 1, -100, 1), (8 * M, ROW, F, F, MATRIX)),
}


@pytest.mark.parametrize("name", registry.names())
def test_extents(name):
    assert name in CASES, f"add {name} to CASES, with a shape of more than 2^31 elements"
    d, expected = CASES[name]
    assert max(expected) > 2**33
    for threads in (1, 4):
        extents = registry.kernel(name).extents(d, threads)
        assert tuple(extents[:len(expected)]) == expected
        assert len(extents) - len(expected) in (0, 1)
        for workspace in extents[len(expected):]:
            assert 0 <= workspace < max(expected)  # a product that wrapped is negative or huge


def _sparse(count):
    """`count` float32 zeros of which the system promises nothing: pages come when written."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
    try:
        block = mmap.mmap(-1, F * count, flags=flags)
    except OSError:  # strict accounting of memory, or a limit on the address space
        pytest.skip(f"no address space for {F * count} bytes")
    return np.frombuffer(block, np.float32)


def _run(name, arrays, d, threads=3):
    kernel = registry.kernel(name)
    extents = kernel.extents(d, threads)
    assert all(e <= a.nbytes for e, a in zip(extents, arrays, strict=False))
    workspace = [np.zeros(e // F + 16, np.float32) for e in extents[len(arrays):]]
    call_kernel(kernel.address, [a.ctypes.data for a in (*arrays, *workspace)], d, (), threads)


def test_copy_far_apart():
    strides, far = (2**31 + 3, -5), 2**31 + 3
    x, y, small = _sparse(2 * far + 20), _sparse(2 * far + 20), blank(12)
    places = [10 + i * far - 5 * j for i in range(3) for j in range(2)]
    x[places] = np.arange(1, 7)
    _run("copy", [x, small], [2, 10, 0, 3, 2, *strides, 2, 1])
    np.testing.assert_array_equal(small[:6], np.arange(1, 7))
    _run("copy", [small, y], [2, 0, 2, 3, 2, 2, 1, far, 7])
    expected = np.zeros(20, np.float32)
    copy_twin.copy(small, expected, 0, 2, (2,), (1,), (7,))
    np.testing.assert_array_equal(y[:20], expected)
    np.testing.assert_array_equal(y[[2 + 2 * far, 9 + 2 * far]], [5, 6])


def test_binary_far_apart():
    far = 2**31 + 3
    a, b, y = _sparse(2 * far + 8), np.array([1, 2, 3, 4], np.float32), blank(12)
    places = [i * far + 2 * j for i in range(3) for j in range(4)]
    a[places] = np.arange(12)
    _run("binary", [a, b, y], [PAIRS["mul"], 2, 3, 4, far, 2, 0, 1])
    np.testing.assert_array_equal(y, np.arange(12) * np.tile(b, 3))


SIDE, STRIDE = 48_000, 15_999  # one image of 2,304,000,000 pixels, read at 4 x 4 of them


def _image():
    x = _sparse(SIDE * SIDE)
    at = STRIDE * np.arange(4)
    x[(at[:, None] * SIDE + at).ravel()] = np.arange(1, 17)
    return x, np.arange(1, 17)


@pytest.mark.parametrize("name", ["max_pool2d_forward", "max_pool2d_infer", "avg_pool2d_forward"])
def test_pooling_of_a_large_image(name):
    x, expected = _image()
    y, offsets = blank(16), blank(16, np.uint8)
    more = [1, 1, 4, 4] if name.startswith("max") else [4, 4, 0, 0, 0, 0]
    _run(name, [x, y, offsets][:3 if name == "max_pool2d_forward" else 2],
         [1, SIDE, SIDE, 1, 1, 1, STRIDE, STRIDE, 0, 0, *more])
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("name", ["conv2d_forward", "blas_forward"])
@pytest.mark.parametrize("kernel, dilation, out", [(1, 1, 4), (2, STRIDE, 3)])
def test_convolution_of_a_large_image(name, kernel, dilation, out):
    x, expected = _image()
    weight, y = np.array([2, 3, 5, 7][:kernel**2], np.float32), blank(out * out)
    _run(name, [x, weight, weight, y],
         [1, SIDE, SIDE, 1, 1, kernel, kernel, STRIDE, STRIDE, 0, 0, dilation, dilation, 1,
          out, out, 0, 0])
    pixels = expected.reshape(4, 4)
    taps = [pixels[i:i + out, j:j + out] for i in range(kernel) for j in range(kernel)]
    np.testing.assert_array_equal(
        y, sum(w * tap for w, tap in zip(weight, taps, strict=True)).ravel())


def test_wide_strides_cost_no_workspace():
    """Nothing between the pixels that are read is copied."""
    d = (1, SIDE, SIDE, 1, 1, 2, 2, STRIDE, STRIDE, 0, 0, 1, 1, 1, 3, 3, 0, 0)
    for name in ("conv2d_forward", "conv2d_grad_weight"):
        assert registry.kernel(name).extents(d, 1)[-1] < 2**20
