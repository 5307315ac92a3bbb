"""Pointwise kernels: values in units of the last place, gradients, tails, broadcasting."""

import numpy as np
import pytest
from fastnn._kernels.pointwise.pointwise import binary_rows, unary_rows

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference.pointwise import BINARY, UNARY, slope

ROWS = {row[0]: number for number, row in enumerate(unary_rows())}
SAVED = {row[0]: row[3] for row in unary_rows()}
PAIRS = {row[0]: number for number, row in enumerate(binary_rows())}
ARGUMENTS = {"leaky_relu": (0.01,), "elu": (1.5,), "affine": (1.25, -0.5), "power": (2.5,),
             "softplus": (1.0, 20.0), "hardtanh": (-1.0, 2.0), "clamp": (-1.0, 2.0),
             "celu": (0.75,), "hardshrink": (0.5,), "softshrink": (0.5,), "threshold": (0.25, -1.5)}
POSITIVE = {"log", "sqrt", "power", "log2", "log10", "log1p", "rsqrt"}
# Units in the last place over all of float32; more where a product of roundings comes on top.
ULP = {"silu": 4, "gelu": 9, "elu": 3, "tanh": 3, "sigmoid": 3, "erf": 2, "softplus": 2,
       "exp": 1.5, "log": 1.5, "power": 1.5, "relu": 0, "abs": 0, "leaky_relu": 1,
       "logsigmoid": 2, "hardtanh": 0, "clamp": 0, "hardshrink": 0, "threshold": 0, "sign": 0,
       "floor": 0, "ceil": 0, "round": 0, "trunc": 0, "selu": 3, "celu": 3, "mish": 4,
       "softsign": 1.5, "hardsigmoid": 1.5, "hardswish": 2, "tanhshrink": 9, "log1p": 2.5,
       "expm1": 2.5, "exp2": 1.5, "log2": 3, "log10": 3, "rsqrt": 1.5, "sin": 2, "cos": 2}
SIZES = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000]


def forward(name, x, s):
    y = np.full_like(x, 7)
    x.flags.writeable = False
    call("unary_forward", [x, y], [x.size, ROWS[name]], s)
    return y


def every_float(step=4099):
    """A grid over all finite floats, of both signs, denormals included."""
    x = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return x[np.isfinite(x)]


def units(y, truth):
    """Distance in units of the last place of the truth; 0 where both overflow or are NaN."""
    with np.errstate(over="ignore"):
        nearest = truth.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(nearest), np.float32(2.0**-126))).astype(np.float64)
    same = (y == nearest) | (np.isnan(y) & np.isnan(nearest))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0, np.abs(y.astype(np.float64) - truth) / unit)


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"gelu_tanh", "affine"}))
def test_values_of_all_floats(name):
    x = every_float()
    if name == "power":  # the range where no result overflows
        x = x[(x > 1e-10) & (x < 1e10)]
    if name in ("silu", "mish"):  # beyond, the gate is denormal: it lost digits before the product
        x = x[x > -87]
    s = ARGUMENTS.get(name, ())
    with np.errstate(all="ignore"):
        truth = UNARY[name](x.astype(np.float64), *s)
    if s:  # the argument itself is rounded to float
        s = tuple(float(np.float32(v)) for v in s)
        with np.errstate(all="ignore"):
            truth = UNARY[name](x.astype(np.float64), *s)
    error = units(forward(name, x, s), truth)
    worst = int(np.argmax(error))
    assert error[worst] <= ULP.get(name, 0.5 + 1e-6), (x[worst], truth[worst])


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_near_its_zeros_and_beyond_the_reduction(name):
    turns = np.arange(1, 60_000_000, 99_991) * (np.pi / 2)
    x = np.concatenate([turns, [1e8 - 8, 1e8, 1e8 + 8, 1e20, 3e38]]).astype(np.float32)
    x = np.concatenate([x, -x])
    assert units(forward(name, x, ()), UNARY[name](x.astype(np.float64))).max() <= ULP[name]


@pytest.mark.parametrize("name", ["gelu_tanh", "affine"])
def test_values_to_absolute_error(name):
    # A rounded argument of exp, or a difference: the error is relative to the terms.
    x = np.linspace(-12, 12, 100001, dtype=np.float32)
    s = ARGUMENTS.get(name, ())
    truth = UNARY[name](x.astype(np.float64), *s)
    np.testing.assert_allclose(forward(name, x, s), truth, rtol=4e-7, atol=2e-7)


@pytest.mark.parametrize("name, at_minus, at_plus", [
    ("exp", 0, np.inf), ("tanh", -1, 1), ("sigmoid", 0, 1), ("erf", -1, 1), ("relu", 0, np.inf),
    ("silu", 0, np.inf), ("gelu", 0, np.inf), ("gelu_tanh", 0, np.inf), ("softplus", 0, np.inf),
    ("elu", -1.5, np.inf), ("log", np.nan, np.inf), ("sqrt", np.nan, np.inf),
    ("reciprocal", 0, 0), ("abs", np.inf, np.inf), ("square", np.inf, np.inf),
    ("logsigmoid", -np.inf, 0), ("mish", 0, np.inf), ("softsign", -1, 1), ("hardsigmoid", 0, 1),
    ("hardswish", 0, np.inf), ("hardtanh", -1, 2), ("hardshrink", -np.inf, np.inf),
    ("softshrink", -np.inf, np.inf), ("tanhshrink", -np.inf, np.inf), ("sign", -1, 1),
    ("log1p", np.nan, np.inf), ("expm1", -1, np.inf), ("exp2", 0, np.inf), ("log2", np.nan, np.inf),
    ("log10", np.nan, np.inf), ("rsqrt", np.nan, 0), ("sin", np.nan, np.nan),
    ("cos", np.nan, np.nan), ("floor", -np.inf, np.inf), ("round", -np.inf, np.inf)])
def test_limits(name, at_minus, at_plus):
    x = np.array([-np.inf, np.inf, np.nan], np.float32)
    y = forward(name, x, ARGUMENTS.get(name, ()))
    np.testing.assert_array_equal(y, np.array([at_minus, at_plus, np.nan], np.float32))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_nan_passes_and_zero_is_exact(name):
    s = ARGUMENTS.get(name, ())
    x = np.array([np.nan] * 3 + [0.0, -0.0], np.float32)
    y = forward(name, x, s)
    assert np.isnan(y[:3]).all()
    with np.errstate(all="ignore"):
        truth = UNARY[name](x[3:].astype(np.float64), *s)
    np.testing.assert_allclose(y[3:], truth, rtol=2e-7)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_gradient(name):
    random = np.random.default_rng(1)
    x = random.standard_normal(1003).astype(np.float32) * 3
    x = np.where(np.abs(x) < 0.01, np.float32(0.6), x)  # away from kinks
    x = np.abs(x) if name in POSITIVE else x
    s = ARGUMENTS.get(name, ())
    dy = random.standard_normal(1003).astype(np.float32)
    saved = x if SAVED[name] == "x" else forward(name, x, s)
    dx = blank_like(x)
    call_all_threads("unary_backward", [saved, dy, dx], [x.size, ROWS[name]], s)
    # Differences carry 1e-10 of the value / 1e-5; saved y has float32's own rounding.
    expected = dy * slope(name, x.astype(np.float64), s)
    np.testing.assert_allclose(dx, expected, rtol=2e-5, atol=3e-6)
    call("unary_backward", [saved, dy, dy], [x.size, ROWS[name]], s)
    assert (dy == dx).all()  # in place


@pytest.mark.parametrize("name", sorted(ROWS))
def test_same_bits_wherever_an_element_sits(name):
    s = ARGUMENTS.get(name, ())
    x = np.random.default_rng(2).standard_normal(97).astype(np.float32) * 4
    whole = forward(name, x, s)
    for n in SIZES[:-1]:
        for start in (0, 1, 97 - n):
            part = forward(name, x[start:start + n].copy(), s)
            assert part.tobytes() == whole[start:start + n].tobytes()
    saved = np.abs(x) + 0.1
    whole_gradient, part = blank_like(x), blank(0)
    call("unary_backward", [saved, x, whole_gradient], [97, ROWS[name]], s)
    for n in SIZES[:-1]:
        part = blank(n)
        call("unary_backward", [saved[1:1 + n].copy(), x[1:1 + n].copy(), part], [n, ROWS[name]], s)
        assert part.tobytes() == whole_gradient[1:1 + n].tobytes()


@pytest.mark.parametrize("n", [16384, 16385, 5 * 16384 - 1, 5 * 16384 + 3])
def test_threads_and_chunks(n):
    x = np.random.default_rng(3).standard_normal(n).astype(np.float32)
    y = blank_like(x)
    call_all_threads("unary_forward", [x, y], [n, ROWS["tanh"]])
    assert units(y, np.tanh(x.astype(np.float64))).max() < 3


def contiguous(shape):
    return [int(np.prod(shape[i + 1:])) for i in range(len(shape))]


def broadcast_strides(array, shape):
    return [s // 4 for s in np.broadcast_to(array, shape).strides]


BROADCASTS = [
    ((1,), (1,)), ((7,), (7,)), ((1000,), (1,)), ((1,), (1000,)), ((5, 9), (9,)), ((9,), (5, 9)),
    ((5, 9), (5, 1)), ((5, 1), (1, 9)), ((3, 4, 5, 6), (3, 1, 1, 6)), ((3, 4, 5, 6), (1, 4, 5, 1)),
    ((2, 1, 3, 1), (1, 5, 1, 7)), ((300, 3), (3,)), ((2000, 10), (10,)), ((700, 64), (64,)),
    ((40, 17, 63), (17, 63)), ((2, 3, 2, 3, 2, 3, 2, 3), (3, 1, 3, 1, 3, 1, 3)), ((), ()),
    ((90000,), (90000,)), ((3, 40000), (40000,)), ((3, 40000), (3, 1)), ((0, 4), (4,)),
    ((30000, 2, 3), (30000, 1, 3))]


@pytest.mark.parametrize("a_shape, b_shape", BROADCASTS)
def test_binary_broadcast(a_shape, b_shape):
    random = np.random.default_rng(4)
    a = random.standard_normal(a_shape, np.float32)
    b = np.asarray(random.standard_normal(b_shape, np.float32))
    a, b = np.asarray(a), np.asarray(b)
    shape = np.broadcast_shapes(a_shape, b_shape)
    y = np.full(shape, 7, np.float32)
    d = [len(shape), *shape, *broadcast_strides(a, shape), *broadcast_strides(b, shape)]
    a.flags.writeable = b.flags.writeable = False
    for name in ("sub", "maximum"):
        call_all_threads("binary", [a, b, y], [PAIRS[name], *d])
        np.testing.assert_array_equal(y, BINARY[name](a, b))
    if a_shape == shape and y.size:
        inplace = a.copy()
        call_all_threads("binary", [inplace, b, inplace], [PAIRS["sub"], *d])
        np.testing.assert_array_equal(inplace, a - b)


def test_binary_of_any_strides():
    a = np.random.default_rng(5).standard_normal((6, 10, 14), np.float32)
    view = a[::2, ::3, ::5].transpose(2, 0, 1)
    b = np.random.default_rng(6).standard_normal(view.shape, np.float32)
    y = blank_like(b)
    d = [PAIRS["mul"], 3, *view.shape, *(s // 4 for s in view.strides), *contiguous(view.shape)]
    call_all_threads("binary", [a, b, y], d)
    np.testing.assert_array_equal(y, view * b)


@pytest.mark.parametrize("name", sorted({*PAIRS} - {"bce", "bce_logits"}))
def test_binary_values(name):
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1.5, -2, 3e38, 1e-40], np.float32)
    a, b = (v.copy() for v in np.broadcast_arrays(special[:, None], special[None]))
    y = blank_like(a)
    call_all_threads("binary", [a, b, y], [PAIRS[name], 1, 81, 1, 1])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(y, BINARY[name](a, b).astype(np.float32))


@pytest.mark.parametrize("name, a", [
    ("bce", np.r_[0, 1e-30, 1e-7, np.linspace(0.01, 0.99, 50), 1 - 2.0**-24, 1]),
    ("bce_logits", np.r_[-1e30, -200, np.linspace(-30, 30, 61), 200, 1e30])])
def test_losses_of_two_classes(name, a):
    """Accurate for the right class too, whose loss is next to nothing."""
    a, b = np.broadcast_arrays(a.astype(np.float32)[:, None], np.float32([0, 0.3, 1]))
    a, b, y = a.copy(), b.copy(), blank(a.shape)
    call_all_threads("binary", [a, b, y], [PAIRS[name], 1, a.size, 1, 1])
    with np.errstate(divide="ignore"):
        expected = BINARY[name](a.astype(np.float64), b)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=2e-36)


def test_losses_of_two_classes_of_no_probability():
    for bad in (-0.1, 1.1, np.nan):
        y = blank(2)
        call("binary", [np.full(2, bad, np.float32), np.float32([0.3, 0.6]), y],
             [PAIRS["bce"], 1, 2, 1, 1])
        assert np.isnan(y).all()


def test_rounded_quotients_are_those_of_the_numbers_before_rounding():
    a, b = (np.float32([[1, 6, -1, 5e-3, 16777216, 1, -1, 0]]),
            np.float32([[0.1], [0.2], [-0.3], [3], [1e-3], [np.inf]]))
    y, exact = blank((6, 8)), np.floor(a.astype(np.float64) / b.astype(np.float64))
    exact[5] = [0, 0, -1, 0, 0, 0, -1, 0]  # as Python's -1 // inf
    call_all_threads("binary", [a, b, y], [PAIRS["floor_div"], 2, 6, 8, 0, 1, 1, 0])
    np.testing.assert_array_equal(y, exact.astype(np.float32))


@pytest.mark.parametrize("k", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [1, 9, 1023, 1025, 90001])
def test_add_n(k, n):
    xs = list(np.random.default_rng(7).standard_normal((k, n), np.float32))
    expected = xs[0].copy()
    for x in xs[1:]:
        expected = expected + x
    y = blank(n)
    call_all_threads("add_n", [*xs, y], [n, k])
    np.testing.assert_array_equal(y, expected)
    for i in range(k):
        inputs = [x.copy() for x in xs]
        call("add_n", [*inputs, inputs[i]], [n, k], threads=2)
        np.testing.assert_array_equal(inputs[i], expected)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("n", [1, 9, 1023, 1025, 90001])
def test_gradient_of_a_sum_is_that_of_its_parts(k, n, name="relu"):
    rng = np.random.default_rng(8)
    s = ARGUMENTS.get(name, ())
    saved = rng.uniform(0.1, 2, n).astype(np.float32) * rng.choice([-1, 1], n).astype(np.float32)
    xs = list(rng.standard_normal((k, n), np.float32))
    total, expected, dx = blank(n), blank(n), blank(n)
    call("add_n", [*xs, total], [n, k])
    call("unary_backward", [saved, total, expected], [n, ROWS[name]], s)
    call_all_threads("add_n_unary_backward", [saved, *xs, dx], [n, k, ROWS[name]], s)
    np.testing.assert_array_equal(dx, expected)
    for i in range(k + 1):  # in place of the saved values or of a part
        buffers = [saved.copy(), *(x.copy() for x in xs)]
        call("add_n_unary_backward", [*buffers, buffers[i]], [n, k, ROWS[name]], s, threads=2)
        np.testing.assert_array_equal(buffers[i], expected)


@pytest.mark.parametrize("n", [0, 1, 7, 9, 200000])
def test_fill(n):
    y = np.zeros(n, np.float32)
    call_all_threads("fill", [y], [n], [-2.5])
    assert (y == -2.5).all()


@pytest.mark.parametrize("name, d, words", [
    ("binary", [99, 1, 3, 1, 1], "row 99"), ("binary", [0, 9], "8 dimensions"),
    ("binary", [0, 1, 3, -1, 1], "before the buffer"), ("unary_forward", [3, -1], "row -1"),
    ("add_n", [3, 0], "at least one"), ("add_n_unary_backward", [3, 1, 0], "at least two")])
def test_contradictions_are_refused(name, d, words):
    with pytest.raises(ValueError, match=words):
        registry.KERNELS[name].extents(d, 1)
