"""Dropout: the stream of bits against plain Philox, and its quality."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads
from tests.memory import blank, blank_like
from tests.reference.dropout import kept, philox


def mask(n, p, seed=1, step=0, node=0):
    y = blank(n)
    call("dropout", [np.ones(n, np.float32), y, np.array([seed, step], np.uint64)], [n, node], [p])
    return y != 0


def test_philox_known_answer():
    # Random123's kat_vectors: "philox4x32 7" of zeros and of ones.
    zeros = philox([0, 0, 0, 0], [0, 0])
    ones = philox([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2)
    assert zeros == [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]
    assert ones == [0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662]


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("seed, step, node", [
    (0, 0, 0), (2**64 - 1, 2**40 + 5, 2**32 - 1), (7, 3, 2)])
def test_values(n, seed, step, node):
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    x.flags.writeable = False
    y = np.full(n, 7, np.float32)
    call_all_threads("dropout", [x, y, np.array([seed, step], np.uint64)], [n, node], [0.3])
    expected = np.where(kept(n, 0.3, seed, step, node), x * np.float32(1 / 0.7), np.float32(0))
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("n", [16384, 16387, 100000])
def test_chunks_threads_and_in_place(n):
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    y, key = blank_like(x), np.array([5, 6], np.uint64)
    call_all_threads("dropout", [x, y, key], [n, 1], [0.5])
    keep = kept(300, 0.5, 5, 6, 1)
    np.testing.assert_array_equal(y[:300], np.where(keep, 2 * x[:300], 0))
    assert ((y == 0) | (y == 2 * x)).all()
    call_all_threads("dropout", [x, x, key], [n, 1], [0.5])
    np.testing.assert_array_equal(x, y)


def test_probabilities_zero_and_one():
    x = np.array([1, np.nan, np.inf, -3] * 20, np.float32)
    y, key = blank_like(x), np.zeros(2, np.uint64)
    call_all_threads("dropout", [x, y, key], [x.size, 0], [0.0])
    np.testing.assert_array_equal(y, x)
    call_all_threads("dropout", [x, y, key], [x.size, 0], [1.0])
    assert (y == 0).all()


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_share_and_variance(p):
    n = 4_000_000
    keep = mask(n, p)
    deviation = np.sqrt(n * p * (1 - p))
    assert abs(keep.sum() - n * (1 - p)) < 4.5 * deviation
    # Counts in blocks of 1000 scatter as a binomial: chi-square of 4000 blocks, 5 sigma.
    counts = keep.reshape(-1, 1000).sum(1)
    chi_square = ((counts - 1000 * (1 - p)) ** 2).sum() / (1000 * p * (1 - p))
    assert abs(chi_square - counts.size) < 5 * np.sqrt(2 * counts.size)


def test_no_correlation():
    n = 1_000_000
    base = mask(n, 0.5) * 2.0 - 1
    others = {"step": mask(n, 0.5, step=1), "far step": mask(n, 0.5, step=2**32),
              "node": mask(n, 0.5, node=1), "seed": mask(n, 0.5, seed=2),
              "high seed": mask(n, 0.5, seed=1 + 2**32)}
    for what, other in others.items():
        assert abs((base * (other * 2.0 - 1)).mean()) < 5 / np.sqrt(n), what
    for lag in [*range(1, 130), 256, 1024, 4096, 16384]:
        assert abs((base[lag:] * base[:-lag]).mean()) < 5 / np.sqrt(n - lag), lag


def test_node_must_fit():
    with pytest.raises(ValueError, match="32 bits"):
        registry.KERNELS["dropout"].extents([4, 2**32], 1)
