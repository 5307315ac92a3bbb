"""Random numbers: against plain Philox, and their distributions."""

import numpy as np
import pytest
from scipy import stats

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank
from tests.reference import random as reference

KINDS = ["uniform", "normal"]


def draw(kind, n, seed=1, step=0, node=0):
    y = blank(n)
    call(f"random_{kind}", [np.array([seed, step], np.uint64), y], [n, node])
    return y


def check(kind, n, seed, step, node):
    key, y = np.array([seed, step], np.uint64), blank(n)
    key.flags.writeable = False
    call_all_threads(f"random_{kind}", [key, y], [n, node])
    expected = getattr(reference, kind)(n, seed, step, node)
    # the logarithm of a number next to 1 has lost digits when it was rounded to float32
    tolerance = {"rtol": 2e-6, "atol": 4e-4} if kind == "normal" else {"rtol": 0}
    np.testing.assert_allclose(y, expected, **tolerance)
    far = np.abs(expected) > 0.1
    np.testing.assert_allclose(y[far], expected[far], rtol=5e-6, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("seed, step, node", [
    (0, 0, 0), (2**64 - 1, 2**40 + 5, 2**32 - 1), (7, 3, 2)])
def test_values(kind, n, seed, step, node):
    check(kind, n, seed, step, node)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [8192, 8195, 100000])
def test_chunks_and_threads(kind, n):
    y = blank(n)
    call_all_threads(f"random_{kind}", [np.array([5, 6], np.uint64), y], [n, 1])
    np.testing.assert_array_equal(y[:8000], draw(kind, 8000, 5, 6, 1))
    assert np.isfinite(y).all() and len(np.unique(y)) > 0.95 * n


@pytest.mark.parametrize("kind", KINDS)
def test_distribution(kind):
    n, law = 2_000_000, stats.uniform if kind == "uniform" else stats.norm
    y = draw(kind, n).astype(np.float64)
    deviation = law.std()
    assert abs(y.mean() - law.mean()) < 4.5 * deviation / np.sqrt(n)
    fourth = law.moment(4) if kind == "normal" else 1 / 80 / deviation**4
    assert abs(y.var() / law.var() - 1) < 4.5 * np.sqrt((fourth - 1) / n)
    assert stats.kstest(y, law.cdf).pvalue > 1e-3
    if kind == "normal":
        assert abs(stats.skew(y)) < 4.5 * np.sqrt(6 / n)
        assert abs(stats.kurtosis(y)) < 4.5 * np.sqrt(24 / n)
        assert 4.5 < np.abs(y).max() < 6.7
    else:
        assert y.min() >= 0 and y.max() < 1 and (y * 2**24 == np.round(y * 2**24)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_correlation(kind):
    n = 500_000
    law = stats.uniform if kind == "uniform" else stats.norm
    base, *others = ((draw(kind, n, **changed) - law.mean()) / law.std() for changed in (
        {}, {"step": 1}, {"step": 2**32}, {"node": 1}, {"seed": 2}, {"seed": 1 + 2**32}))
    for power in (1, 2):
        moved = base**power - (base**power).mean()
        for other in others:
            apart = other**power - (other**power).mean()
            assert abs((moved * apart).mean()) < 5 * moved.std() * apart.std() / np.sqrt(n)
        for lag in [*range(1, 70), 256, 8192]:
            assert abs((moved[lag:] * moved[:-lag]).mean()) < 5 * moved.var() / np.sqrt(n - lag)


def test_node_must_fit():
    with pytest.raises(ValueError, match="32 bits"):
        registry.KERNELS["random_normal"].extents([4, 2**32], 1)
