"""Whitening gives the identity covariance, by either method."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn.data import Whiten

MIX = np.random.default_rng(0).normal(size=(6, 6))
X = np.random.default_rng(1).normal(size=(400, 6)) @ MIX + 3


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_the_covariance_becomes_the_identity(method):
    y = Whiten(method, eps=0).fit_transform(X)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.mean(axis=0, dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(y.T, bias=True), np.eye(6), atol=1e-5)


def test_eps_shrinks_each_direction_as_the_formula_says():
    variances = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]
    y = Whiten("pca", eps=0.5).fit_transform(X)
    np.testing.assert_allclose(y.var(axis=0), variances / (variances + 0.5), rtol=1e-4)


def test_pca_orders_components_by_variance_and_zca_is_the_nearest():
    pca, zca = Whiten("pca", eps=0).fit(X), Whiten("zca", eps=0).fit(X)
    lengths = np.linalg.norm(pca.matrix, axis=0)
    assert (np.diff(lengths) > 0).all()
    np.testing.assert_allclose(zca.matrix, zca.matrix.T, atol=1e-12)
    distance = [np.square(w.transform(X) - (X - X.mean(axis=0))).sum() for w in (pca, zca)]
    assert distance[1] < distance[0]


def test_images_keep_their_shape():
    images = np.random.default_rng(2).integers(0, 256, (300, 2, 4, 3), dtype=np.uint8)
    y = Whiten("zca", eps=1e-9).fit_transform(images)
    assert y.shape == images.shape
    np.testing.assert_allclose(np.cov(y.reshape(300, -1).T, bias=True), np.eye(24), atol=1e-4)


@pytest.mark.parametrize("eps", [0, 1e-5])
def test_directions_without_variance_are_not_blown_up(eps):
    # Fewer examples than features, a constant feature, and a repeated one.
    x = np.random.default_rng(3).normal(size=(5, 8))
    x[:, 3], x[:, 5] = 7, x[:, 4]
    with pytest.warns(UserWarning, match="x has 5 examples of 8 features, so that at most 4"):
        y = Whiten("pca", eps).fit_transform(x)
    assert np.isfinite(y).all() and np.abs(y).max() < 5
    covariance = np.cov(y.T, bias=True)
    np.testing.assert_allclose(np.diag(covariance)[:4], 1, atol=1e-2)
    np.testing.assert_allclose(covariance[4:], 0, atol=1e-5)


def test_constant_data_becomes_zero():
    assert not Whiten("zca", eps=0).fit_transform(np.full((4, 3), 2.0)).any()


def test_wrong_options():
    with pytest.raises(ValueError, match=r"method must be one of \('pca', 'zca'\), got 'svd'"):
        Whiten("svd")
    with pytest.raises(ValueError, match="eps must be a number from 0 on, got -1"):
        Whiten(eps=-1)


DIGEST = """
import hashlib
import numpy as np
from fastnn.data import Whiten

x = np.random.default_rng(0).normal(size=(2000, 300))
for method in ("pca", "zca"):
    whiten = Whiten(method).fit(x)
    y = whiten.transform(x.astype(np.float32))
    print(hashlib.sha256(whiten.matrix.tobytes() + y.tobytes()).hexdigest())
"""


def test_the_bits_do_not_depend_on_the_number_of_threads():
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "OPENBLAS_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2, 3)
    }
    assert len(digests) == 1
