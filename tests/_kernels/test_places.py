"""Pooling with places, and what goes by places, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_pool import CHANNELS, WINDOWS, integers, out_size
from tests.memory import blank, blank_like
from tests.reference import pool as reference

some = settings(max_examples=settings().max_examples * 6 // 10)
small, channels = st.integers(1, 9), st.integers(1, 40)


def check_places(x, windows, out):
    """The kernel beside the loops; places. windows: as d has them."""
    n, h, w, c = x.shape
    kernel, stride, pad, dilation = (windows[i:i + 2] for i in range(0, 8, 2))
    x.flags.writeable = False
    y, places = blank((n, *out, c)), blank((n, *out, c), np.int64)
    call_all_threads("max_pool2d_places", [x, y, places], [n, h, w, c, *windows, *out])
    axes = [reference.window_axis(size, *rest) for size, *rest in
            zip((h, w), out, kernel, stride, pad, dilation, strict=True)]
    expected, expected_places = reference.max_places(x, out, axes)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(places, expected_places)
    return places


@pytest.mark.parametrize("c", CHANNELS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("ceil", [False, True])
def test_windows(c, window, ceil):
    """And the places are those that the offsets of the other kernel say."""
    rng = np.random.default_rng(c)
    x = integers(rng, (2, 7, 11, c))
    x[rng.random(x.shape) < 0.02] = np.nan
    x[rng.random(x.shape) < 0.1] = -np.inf
    out, windows = out_size((7, 11), window, ceil), [*sum(window, ())]
    places = check_places(x, windows, out)
    d = [*x.shape, *windows, *out]
    offsets, y, others = blank(places.shape, np.uint8), blank(places.shape), blank_like(places)
    call("max_pool2d_forward", [x, y, offsets], d)
    offsets.flags.writeable = False
    call_all_threads("places_of_offsets", [offsets, others], d)
    np.testing.assert_array_equal(others, places)


@pytest.mark.parametrize("size, window", [
    ((40, 39), (17, 16, 5, 7, 8, 3, 1, 1)), ((20, 70), (1, 300, 1, 1, 0, 120, 1, 1)),
    ((33, 35), (11, 25, 4, 5, 5, 12, 2, 1))])
def test_windows_of_more_than_256_places(size, window):
    x = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    pairs = [window[i:i + 2] for i in range(0, 8, 2)]
    places = check_places(x, list(window), out_size(size, pairs, False))
    assert places.max() > 256


@pytest.mark.parametrize("c", (1, 3, 16, 17, 37))
@pytest.mark.parametrize("size, out", [((7, 5), (1, 1)), ((7, 5), (3, 2)), ((8, 6), (4, 3)),
                                       ((3, 4), (7, 7)), ((30, 20), (1, 1))])
def test_bins(c, size, out):
    x = integers(np.random.default_rng(c), (2, *size, c))
    check_places(x, [0, 0, 1, 1, 0, 0, 1, 1], out)


@covers("max_pool2d_places", "places_of_offsets")
@some
@given(st.data(), st.integers(1, 3), channels, st.tuples(small, small))
def test_any_windows(data, n, c, size):
    x = integers(np.random.default_rng(c), (n, *size, c))
    pairs = []
    for low, high in ((0, 4), (1, 4), (0, 3), (1, 3)):
        pairs.append(data.draw(st.tuples(*(st.integers(low, high),) * 2)))
    out = data.draw(st.tuples(small, small))
    windows = [*sum(pairs, ())]
    places = check_places(x, windows, out)
    if 0 in pairs[0]:
        return
    d = [n, *size, c, *windows, *out]
    y, offsets, others = blank(places.shape), blank(places.shape, np.uint8), blank_like(places)
    call("max_pool2d_forward", [x, y, offsets], d)
    call_all_threads("places_of_offsets", [offsets, others], d)
    np.testing.assert_array_equal(others, places)


@covers("add_at_places", "put_at_places", "read_at_places")
@some
@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.integers(1, 70))
def test_by_places(n, few, many, c):
    """Some places are outside: they are passed over."""
    rng = np.random.default_rng(few)
    y, x = integers(rng, (n, few, c)), integers(rng, (n, many, c))
    places = rng.integers(-2, many + 2, y.shape)
    places[rng.random(places.shape) < 0.05] = rng.choice([2**62, -(2**62)])
    for array in (x, y, places):
        array.flags.writeable = False
    d = [n, few, many, c]
    for name in ("add_at_places", "put_at_places"):
        got = blank_like(x)
        call_all_threads(name, [y, places, got], d)
        np.testing.assert_array_equal(got, getattr(reference, name)(y, places, many))
    got = blank_like(y)
    call_all_threads("read_at_places", [x, places, got], d)
    np.testing.assert_array_equal(got, reference.read_at_places(x, places))


def test_by_places_of_a_large_image():
    rng = np.random.default_rng(0)
    y, places = integers(rng, (2, 900, 70)), rng.integers(0, 3600, (2, 900, 70))
    x = blank((2, 3600, 70))
    for name in ("add_at_places", "put_at_places"):
        call_all_threads(name, [y, places, x], [2, 900, 3600, 70])


@pytest.mark.parametrize("name, d", [
    ("max_pool2d_places", [1, 4, 4, 1, 2, -1, 1, 1, 0, 0, 1, 1, 2, 2]),
    ("max_pool2d_places", [1, 4, 4, 1, 2, 2, 1, 0, 0, 0, 1, 1, 2, 2]),
    ("places_of_offsets", [1, 40, 40, 1, 17, 16, 1, 1, 0, 0, 1, 1, 24, 25]),
    ("places_of_offsets", [1, 4, 4, 1, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2]),
    ("add_at_places", [1, 0, 4, 3])])
def test_sizes_that_no_call_has(name, d):
    with pytest.raises(ValueError, match=r"pooling|byte|places"):
        registry.KERNELS[name].extents(d, 1)
