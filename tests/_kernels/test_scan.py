"""Running sums, products and their gradient, against float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests.memory import blank_like
from tests.reference import scan as twin

SHAPES = [(1, 1, 1), (1, 5, 1), (7, 33, 1), (500, 10, 1), (1, 100001, 1), (3, 17, 46), (1, 131, 7),
          (9, 300, 3), (1, 20, 1025), (1, 0, 5), (3, 0, 1), (0, 4, 4), (4, 64, 0), (60, 16, 65),
          (2, 9000, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_cumsum(shape, reverse):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x.flags.writeable = False
    y = blank_like(x)
    call_all_threads("cumsum", [x, y], [*shape, reverse])
    # double sums, rounded once
    np.testing.assert_allclose(y, twin.cumsum(x, reverse), rtol=1.2e-7, atol=1e-9)
    place = x.copy()
    call("cumsum", [place, place], [*shape, reverse])
    np.testing.assert_array_equal(place, y)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("zeros", [0.0, 0.02, 0.5])
def test_prod(shape, zeros):
    rng = np.random.default_rng(0)
    x = np.exp(0.1 * rng.standard_normal(shape)) * rng.choice([-1.0, 1.0], shape)
    x = (x * (rng.random(shape) >= zeros)).astype(np.float32)
    dy = rng.standard_normal((shape[0], shape[2])).astype(np.float32)
    x.flags.writeable = dy.flags.writeable = False
    y, dx = blank_like(dy), blank_like(x)
    call_all_threads("prod", [x, y], shape)
    np.testing.assert_allclose(y, twin.prod(x), rtol=1.2e-7)
    call_all_threads("prod_backward", [x, dy, dx], shape)
    if x.size <= 50_000:  # the twin's time grows with the square
        np.testing.assert_allclose(dx, twin.prod_backward(x, dy), rtol=1.2e-7)


@covers("cumsum", "prod", "prod_backward")
@given(st.integers(0, 9), st.integers(0, 60), st.integers(0, 70), st.sampled_from([0.0, 0.1]),
       st.booleans())
def test_scans_of_any_shape(outer, size, inner, zeros, reverse):
    test_cumsum((outer, size, inner), reverse)
    test_prod((outer, size, inner), zeros)


def test_extents_refuse_negative_sizes():
    for name, d in (("cumsum", [1, -1, 2, 0]), ("prod", [-1, 1, 2]), ("prod_backward", [1, 1, -2])):
        with pytest.raises(ValueError, match="negative"):
            registry.KERNELS[name].extents(d, 1)
