"""Augmentation against plain loops."""

import numpy as np
import pytest

from fastnn.data import Compose, RandomHorizontalFlip, RandomShift

X = np.random.default_rng(0).normal(size=(9, 2, 6, 5)).astype(np.float32)


def shift_slowly(x, pixels, generator):
    rows, columns = generator.integers(0, 2 * pixels + 1, (2, len(x))) - pixels
    result = np.zeros_like(x)
    images, channels, height, width = x.shape
    for n in range(images):
        for c in range(channels):
            for i in range(height):
                for j in range(width):
                    row, column = i + rows[n], j + columns[n]
                    if 0 <= row < height and 0 <= column < width:
                        result[n, c, i, j] = x[n, c, row, column]
    return result


@pytest.mark.parametrize("pixels", [0, 1, 3, 8])
def test_shift_matches_loops(pixels):
    before = X.copy()
    result = RandomShift(pixels)(X, np.random.default_rng(4))
    assert np.array_equal(result, shift_slowly(X, pixels, np.random.default_rng(4)))
    assert result.dtype == X.dtype and not np.shares_memory(result, X)
    assert np.array_equal(X, before)


def test_shifts_reach_every_offset_and_no_other():
    x = np.zeros((2000, 1, 5, 5))
    x[:, 0, 2, 2] = 1
    result = RandomShift(2)(x, np.random.default_rng(0))
    counts = result.sum(axis=(0, 1))
    assert counts.sum() == 2000 and counts.min() > 40


def test_flip_matches_loops():
    x = np.tile(X, (100, 1, 1, 1))
    result = RandomHorizontalFlip(0.3)(x, np.random.default_rng(1))
    chosen = np.random.default_rng(1).random(len(x)) < 0.3
    assert 0.25 < chosen.mean() < 0.35
    for image, original, flipped in zip(result, x, chosen, strict=True):
        assert np.array_equal(image, original[:, :, ::-1] if flipped else original)


def test_flip_of_none_and_all():
    assert np.array_equal(RandomHorizontalFlip(0)(X, np.random.default_rng(0)), X)
    assert np.array_equal(RandomHorizontalFlip(1)(X, np.random.default_rng(0)), X[..., ::-1])


def test_compose_passes_one_generator_on():
    shift, flip = RandomShift(1), RandomHorizontalFlip()
    generator = np.random.default_rng(2)
    expected = flip(shift(X, generator), generator)
    assert np.array_equal(Compose(shift, flip)(X, np.random.default_rng(2)), expected)


def test_errors():
    with pytest.raises(ValueError, match="pixels must be an integer from 0 on, got -1"):
        RandomShift(-1)
    with pytest.raises(ValueError, match=r"p must be a number from 0 to 1, got 1\.5"):
        RandomHorizontalFlip(1.5)
    for transform in (RandomShift(1), RandomHorizontalFlip()):
        with pytest.raises(ValueError, match=r"x has shape \(3, 4\), expected \(n, channels"):
            transform(np.zeros((3, 4)), np.random.default_rng(0))
