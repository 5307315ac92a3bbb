"""The loss of log-probabilities at class numbers, against float64."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference import softmax as reference


@pytest.mark.parametrize("rows, classes", [
    (1, 1), (3, 2), (7, 17), (4095, 3), (4096, 1), (4097, 5), (13000, 2), (40, 1000)])
@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("weighted", [0, 1])
def test_nll(rows, classes, reduction, weighted):
    rng = np.random.default_rng(rows)
    x, target = rng.normal(size=(rows, classes)).astype(np.float32), rng.integers(0, classes, rows)
    target[1::5] = -100
    weight = rng.uniform(0.5, 2, classes).astype(np.float32)
    dloss = rng.normal(size=1 if reduction else rows).astype(np.float32)
    for a in (x, target, weight, dloss):
        a.flags.writeable = False
    losses, total, count, dx = blank(rows), blank(1), blank(1), blank_like(x)
    d = [rows, classes, reduction, -100, weighted]
    call_all_threads("nll_forward", [x, target, weight, losses, total, count], d)
    terms = (target, weight if weighted else np.ones(classes), reduction, -100)
    expected, expected_total, divisor = reference.nll(x, *terms)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    np.testing.assert_allclose([*total, *count], [expected_total, divisor], rtol=1e-6, atol=1e-6)
    call_all_threads("nll_backward", [target, weight, count, dloss, dx], d)
    np.testing.assert_allclose(dx, reference.nll_grad(x.shape, *terms, dloss), rtol=1e-6)


def test_impossible_target_is_nan_and_reads_nothing():
    target, weight = np.array([0, 3, -1, 1 << 60]), np.ones(3, np.float32)
    losses, total, count, dx = blank(4), blank(1), blank(1), blank((4, 3))
    d = [4, 3, 2, -100, 1]
    call("nll_forward", [np.zeros((4, 3), np.float32), target, weight, losses, total, count], d)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True, True])
    assert np.isnan(total[0])
    call("nll_backward", [target, weight, count, np.ones(1, np.float32), dx], d)
    np.testing.assert_array_equal(np.isnan(dx).all(1), [False, True, True, True])


def test_an_ignored_infinity_does_not_count():
    x = np.float32([[-np.inf, -1], [-2, -np.inf]])
    losses, total, count = blank(2), blank(1), blank(1)
    call("nll_forward", [x, np.array([1, 7]), np.ones(2, "f"), losses, total, count],
         [2, 2, 1, 7, 0])
    assert losses.tolist() == [1, 0] and total[0] == 1


def test_contradictory_sizes():
    for d in ([2, 3, 3, 0, 0], [0, 3, 1, 0, 0]):
        with pytest.raises(ValueError, match="nll"):
            registry.KERNELS["nll_forward"].extents(d, 1)
