"""Weights packed beforehand: the bits of the kernels that pack them in each call."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastnn._kernels import registry
from fastnn._kernels.conv import direct
from fastnn._kernels.winograd import passes
from tests._kernels import test_batch_norm
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import ONE, arguments, sizes
from tests.memory import blank
from tests.reference import conv2d as reference

PAD = (1, 1, 1, 1)
DIRECT = [sizes(1, 2, 2, 100, 70, (3, 3), pad=PAD, has_bias=1), sizes(2, 9, 9, 3, 17, (5, 5)),
          sizes(2, 9, 9, 40, 1, (3, 3)), sizes(2, 9, 9, 24, 24, (3, 3), groups=24),
          sizes(2, 9, 9, 24, 36, (3, 3), (2, 2), groups=4, relu=1), sizes(2, 5, 7, 20, 33, ONE),
          sizes(1, 4, 4, 1100, 70, ONE, has_bias=1, relu=1), sizes(1, 12, 11, 600, 31, ONE)]
WINOGRAD = [sizes(1, 7, 5, 17, 33, (3, 3), pad=PAD, has_bias=1, relu=1),
            sizes(3, 9, 9, 40, 3, (3, 3), (2, 2)), sizes(2, 32, 32, 16, 16, (3, 3), pad=PAD),
            sizes(1, 5, 5, 300, 100, (3, 3), pad=PAD), sizes(1, 5, 5, 523, 517, (3, 3), pad=PAD)]


def check(way, d, run, normed):
    """way: "conv2d" or "winograd"; normed: whether x is also read through a norm."""
    v = reference.Conv(*d)
    rng = np.random.default_rng(sum(d))
    shapes = ((v.n, v.h, v.w, v.c), (v.k, v.kh, v.kw, v.c // v.groups), (v.k * v.has_bias,),
              *((v.c,),) * 3)
    x, weight, bias, *vectors = (rng.standard_normal(s, dtype=np.float32) for s in shapes)
    norm = [*vectors, rng.random(v.c, np.float32) + 0.1]
    norm = [norm[0], norm[3], norm[1], norm[2]]
    for array in (x, weight, bias, *norm):
        array.flags.writeable = False
    packed = np.zeros(registry.kernel(f"{way}_pack").extents(d, 1)[1] // 4, np.float32)
    run(f"{way}_pack", [weight, packed], d)
    packed.flags.writeable = False
    for name, before, s in (("", [x], ()), ("_normed", [x, *norm], [test_batch_norm.EPS])):
        if name and not normed:
            continue
        y, expected = blank((2, v.n, v.oh, v.ow, v.k))
        call(f"{way}_forward{name}", [*before, weight, bias, expected], d, s)
        run(f"{way}_forward{name}_packed", [*before, packed, bias, y], d, s)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("d", DIRECT, ids=str)
def test_direct(d):
    check("conv2d", d, call_all_threads, d[5:7] == ONE)


@pytest.mark.parametrize("d", WINOGRAD, ids=str)
def test_winograd(d):
    check("winograd", d, call_all_threads, True)


@covers("conv2d_pack", "conv2d_forward_packed")
@given(arguments())
def test_any_arguments(d):
    assume(direct.packed_size(d))
    check("conv2d", d, call, False)


@covers("conv2d_forward_normed_packed")
@given(st.integers(0, 3), st.integers(1, 30), st.integers(9, 90), st.integers(1, 90),
       st.integers(0, 1), st.integers(0, 1))
def test_any_matrix(n, h, c, k, has_bias, relu):
    d = sizes(n, h, 3, c, k, ONE, has_bias=has_bias, relu=relu)
    assume(n and direct.packed_size(d))
    check("conv2d", d, call, True)


@covers("winograd_pack", "winograd_forward_packed", "winograd_forward_normed_packed")
@given(st.integers(1, 3), st.integers(3, 20), st.integers(3, 20), st.integers(1, 70),
       st.integers(1, 70), st.integers(1, 2), st.integers(0, 1), st.integers(0, 1))
def test_any_tiles(n, h, w, c, k, stride, has_bias, relu):
    d = sizes(n, h, w, c, k, (3, 3), (stride, stride), PAD, has_bias=has_bias, relu=relu)
    check("winograd", d, call, not relu)


def test_what_is_not_packed():
    """Few outputs of a matrix are read as they are; transforms beyond the last cache in bands."""
    few = sizes(1, 20, 20, 256, 1, ONE)
    assert direct.packed_size(few) == 0
    for name in ("conv2d_forward_packed", "conv2d_forward_normed_packed"):
        with pytest.raises(ValueError, match="not for"):
            registry.kernel(name).extents(few, 1)
    assert passes.packed_size(WINOGRAD[-1]) == 0
