"""The subset that ships with the package."""

from pathlib import Path

import numpy as np
import pytest

import fastnn.data
from fastnn.data import load, load_fashion_mnist
from fastnn.data.idx import CLASSES, DEBIAN_FOLDER, holds_idx


def test_balanced_and_mixed():
    data = load("fashion-mnist-small")
    for (x, y), count in ((data.train, 500), (data.test, 100)):
        assert x.shape == (10 * count, 1, 28, 28) and x.dtype == np.uint8
        assert np.bincount(y).tolist() == [count] * 10
        assert len(np.unique(y[:100])) == 10
    assert data.classes == CLASSES


def test_the_licence_lies_beside_it():
    folder = Path(fastnn.data.__file__).parent
    assert "Copyright (c) 2017 Zalando SE" in (folder / "fashion_mnist_small.LICENSE").read_text()
    assert (folder / "fashion_mnist_small.npz").stat().st_size < 3_000_000


@pytest.mark.skipif(not holds_idx(DEBIAN_FOLDER), reason="needs the package dataset-fashion-mnist")
def test_it_is_the_start_of_each_class_of_the_full_set():
    small, full = load("fashion-mnist-small"), load_fashion_mnist(DEBIAN_FOLDER)
    for label in range(10):
        for ours, theirs in ((small.train, full.train), (small.test, full.test)):
            mine = ours[0][ours[1] == label]
            assert np.array_equal(mine, theirs[0][theirs[1] == label][: len(mine)])
