"""Softmax and cross-entropy kernels against float64: odd class counts, weights, threads."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference import softmax as reference

SHAPES = [(1, 1), (3, 2), (5, 3), (32, 10), (7, 4), (9, 7), (8, 8), (6, 9), (5, 15), (4, 16),
          (3, 17), (260, 33), (257, 70), (5, 1000), (1030, 21)]


OFFSETS = [0.0, 1e5, -1e7, 1e8, 3e38]


def random(rows, classes, scale=4.0):
    x = np.random.default_rng(rows + classes).normal(size=(rows, classes)) * scale
    return x.astype(np.float32)


def far_from_zero(rows, classes, offsets):
    """Logits that differ although float32 has few digits left; each row has one of the offsets."""
    centre = np.resize(np.float32(offsets), (rows, 1))
    return centre + random(rows, classes) * np.maximum(np.spacing(np.abs(centre)), 1)


@pytest.mark.parametrize("rows, classes", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 5e3])
def test_softmax(rows, classes, offset):
    x = random(rows, classes) + np.float32(offset)
    x.flags.writeable = False
    log_y, y, inplace = blank_like(x), blank_like(x), x.copy()
    call_all_threads("softmax_forward", [x, y], x.shape)
    call_all_threads("log_softmax_forward", [x, log_y], x.shape)
    call("softmax_forward", [inplace, inplace], x.shape)
    expected = reference.log_softmax(x)
    # exp is within 4 units in the last place
    np.testing.assert_allclose(y, np.exp(expected), rtol=2e-6, atol=1e-30)
    np.testing.assert_allclose(log_y, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(inplace, y)


@pytest.mark.parametrize("rows, classes", SHAPES)
def test_softmax_backward(rows, classes):
    x, dy = random(rows, classes), random(rows, classes, 1.0)[:, ::-1].copy()
    dy.flags.writeable = False
    for name in ("softmax", "log_softmax"):
        y, dx, inplace = blank_like(x), blank_like(x), dy.copy()
        call(f"{name}_forward", [x, y], x.shape)
        y.flags.writeable = False
        call_all_threads(f"{name}_backward", [y, dy, dx], x.shape)
        call(f"{name}_backward", [y, inplace, inplace], x.shape)
        expected = getattr(reference, f"{name}_grad")(y, dy)
        # the sum over the row has an error relative to its largest terms
        np.testing.assert_allclose(dx, expected, rtol=2e-6, atol=2e-5)
        np.testing.assert_array_equal(inplace, dx)


@pytest.mark.parametrize("rows, classes", SHAPES)
@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("weighted", [0, 1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("offsets", [(0.0,), (1e5,), (1e7,), (3e38,), OFFSETS], ids=str)
def test_cross_entropy(rows, classes, reduction, weighted, smoothing, offsets):
    rng = np.random.default_rng(rows)
    logits, target = far_from_zero(rows, classes, offsets), rng.integers(0, classes, rows)
    target[1::5] = -100
    weight = rng.uniform(0.5, 2, classes).astype(np.float32)
    dloss = rng.normal(size=1 if reduction else rows).astype(np.float32)
    for a in (logits, target, weight, dloss):
        a.flags.writeable = False
    row_loss, top, log_sum, total, count = blank(rows), blank(rows), blank(rows), blank(1), blank(1)
    d = [rows, classes, reduction, -100, weighted]
    call_all_threads("cross_entropy_forward",
                     [logits, target, weight, row_loss, top, log_sum, total, count], d, [smoothing])
    used = weight if weighted else np.ones(classes)
    terms = (logits, target, used, reduction, -100, smoothing)
    expected, expected_total, divisor = reference.cross_entropy(*terms)
    np.testing.assert_allclose(row_loss, expected, rtol=3e-6, atol=3e-6)
    np.testing.assert_allclose([*total, *count], [expected_total, divisor], rtol=3e-6, atol=1e-6)
    dlogits, inplace = blank_like(logits), logits.copy()
    call_all_threads("cross_entropy_backward",
                     [logits, target, weight, top, log_sum, count, dloss, dlogits], d, [smoothing])
    call("cross_entropy_backward", [inplace, target, weight, top, log_sum, count, dloss, inplace],
         d, [smoothing])
    np.testing.assert_array_equal(inplace, dlogits)
    scale = np.abs(dloss).max() / (divisor if reduction == 1 else 1)
    # probabilities to a few units in the last place of logit - top - log_sum, which is below 40
    np.testing.assert_allclose(
        dlogits, reference.cross_entropy_grad(*terms, dloss), rtol=1e-5, atol=5e-6 * scale)


def test_impossible_target_is_nan_and_reads_nothing():
    logits, weight = random(4, 3), np.ones(3, np.float32)
    target = np.array([0, 3, -1, 1 << 60])
    row_loss, total = blank(4), blank(1)
    call("cross_entropy_forward",
         [logits, target, weight, row_loss, blank(4), blank(4), total, blank(1)],
         [4, 3, 1, -100, 1], [0.0])
    np.testing.assert_array_equal(np.isnan(row_loss), [False, True, True, True])
    assert np.isnan(total[0])


def test_nan_and_infinite_logits():
    x = np.zeros((4, 11), np.float32)
    x[1, 3], x[2, 9], x[3, :5] = np.nan, np.inf, -np.inf
    y = blank_like(x)
    call("softmax_forward", [x, y], x.shape)
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all() and np.isnan(y[2, 9])
    np.testing.assert_allclose(y[3], [0] * 5 + [1 / 6] * 6, rtol=1e-6)


def test_all_rows_ignored_is_nan_as_in_pytorch():
    logits, target = random(2, 3), np.array([7, 7])
    row_loss, total = blank(2), blank(1)
    call("cross_entropy_forward",
         [logits, target, np.ones(3, "f"), row_loss, blank(2), blank(2), total, blank(1)],
         [2, 3, 1, 7, 0], [0.0])
    assert np.isnan(total[0]) and (row_loss == 0).all()


def test_contradictory_sizes():
    with pytest.raises(ValueError, match="reduction"):
        registry.KERNELS["cross_entropy_forward"].extents([2, 3, 3, 0, 0], 1)
