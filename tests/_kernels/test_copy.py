"""Strided copies against one element at a time."""

from itertools import permutations

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads
from tests.reference.copy import copy


def row_major(shape):
    return [int(np.prod(shape[i + 1:])) for i in range(len(shape))]


def check(x_size, y_size, x_offset, y_offset, shape, x_strides, y_strides):
    x = np.random.default_rng(0).standard_normal(x_size).astype(np.float32)
    x.flags.writeable = False
    y = np.full(y_size, 7, np.float32)
    expected = y.copy()
    copy(x, expected, x_offset, y_offset, shape, x_strides, y_strides)
    d = [len(shape), x_offset, y_offset, *shape, *x_strides, *y_strides]
    call_all_threads("copy", [x, y], d)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("n, c, h, w", [
    (2, 3, 4, 5), (1, 1, 7, 7), (3, 2, 5, 5), (2, 16, 4, 4), (2, 17, 5, 7), (1, 33, 16, 16),
    (2, 64, 8, 8), (5, 3, 32, 32), (1, 3, 150, 150), (1, 2, 3, 1), (1, 3, 1, 5), (1, 20, 61, 61),
    (200, 3, 4, 4), (4, 5, 1, 1)])
def test_layouts(n, c, h, w):
    size = n * c * h * w
    shape, nchw, nhwc = (n, c, h, w), row_major((n, c, h, w)), [h * w * c, 1, w * c, c]
    check(size, size, 0, 0, shape, nchw, nhwc)
    check(size, size, 0, 0, shape, nhwc, nchw)


def test_all_permutations():
    shape = (3, 4, 5, 6)
    strides = row_major(shape)
    for order in permutations(range(4)):
        new = [shape[i] for i in order]
        check(360, 360, 0, 0, new, [strides[i] for i in order], row_major(new))


@pytest.mark.parametrize("case", [
    dict(x_size=60, y_size=60, x_offset=0, y_offset=0, shape=(), x_strides=(), y_strides=()),
    dict(x_size=7, y_size=7, x_offset=6, y_offset=0, shape=(7,), x_strides=(-1,), y_strides=(1,)),
    dict(x_size=60, y_size=70, x_offset=11, y_offset=3, shape=(4, 6), x_strides=(-3, 4),
         y_strides=(17, 2)),
    # concatenation of channels, and its reverse
    dict(x_size=90, y_size=300, x_offset=0, y_offset=5, shape=(30, 3), x_strides=(3, 1),
         y_strides=(10, 1)),
    dict(x_size=300, y_size=90, x_offset=5, y_offset=0, shape=(30, 3), x_strides=(10, 1),
         y_strides=(3, 1)),
    # transpose into a slice: no element between the rows may change
    dict(x_size=90, y_size=300, x_offset=0, y_offset=5, shape=(30, 3), x_strides=(1, 30),
         y_strides=(10, 1)),
    dict(x_size=900, y_size=3000, x_offset=0, y_offset=5, shape=(30, 30), x_strides=(1, 30),
         y_strides=(100, 1)),
    # padding by 1 of an 8 x 8 x 4 image
    dict(x_size=256, y_size=400, x_offset=0, y_offset=44, shape=(8, 8, 4), x_strides=(32, 4, 1),
         y_strides=(40, 4, 1)),
    # expansion
    dict(x_size=1, y_size=999, x_offset=0, y_offset=0, shape=(999,), x_strides=(0,),
         y_strides=(1,)),
    dict(x_size=6, y_size=6 * 350, x_offset=0, y_offset=0, shape=(350, 6), x_strides=(0, 1),
         y_strides=(6, 1)),
    dict(x_size=6, y_size=6 * 350, x_offset=0, y_offset=0, shape=(6, 350), x_strides=(1, 0),
         y_strides=(350, 1)),
    dict(x_size=20, y_size=120, x_offset=0, y_offset=0, shape=(4, 6, 5), x_strides=(5, 0, 1),
         y_strides=(30, 5, 1)),
    # y's axes not in the order of memory; 8 dimensions; nothing at all
    dict(x_size=60, y_size=60, x_offset=0, y_offset=0, shape=(5, 12), x_strides=(12, 1),
         y_strides=(1, 5)),
    dict(x_size=256, y_size=256, x_offset=0, y_offset=0, shape=(2,) * 8,
         x_strides=(1, 2, 4, 8, 16, 32, 64, 128), y_strides=(128, 32, 64, 16, 8, 2, 4, 1)),
    dict(x_size=4, y_size=4, x_offset=0, y_offset=0, shape=(3, 0), x_strides=(1, 1),
         y_strides=(1, 1)),
    # more than a chunk
    dict(x_size=100003, y_size=100003, x_offset=3, y_offset=1, shape=(100000,), x_strides=(1,),
         y_strides=(1,)),
    dict(x_size=90000, y_size=90000, x_offset=0, y_offset=0, shape=(300, 300), x_strides=(1, 300),
         y_strides=(300, 1)),
])
def test_strided(case):
    check(**case)


def test_extents():
    extents = registry.KERNELS["copy"].extents
    assert extents([2, 4, 1, 3, 5, -2, 10, 5, 1], 1) == (4 * 45, 4 * 16)
    with pytest.raises(ValueError, match="before the buffer"):
        extents([1, 3, 0, 5, -1, 1], 1)
    with pytest.raises(ValueError, match="8 dimensions"):
        extents([9, 0, 0] + [1] * 27, 1)
