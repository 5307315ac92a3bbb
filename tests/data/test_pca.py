"""Principal components are scikit-learn's."""

import numpy as np
import pytest

from fastnn.data import PCA, Batches, Whiten

X = np.random.default_rng(0).normal(size=(200, 7)) @ np.random.default_rng(1).normal(size=(7, 7))


@pytest.mark.parametrize("kept", [None, 1, 3, 7])
def test_it_is_scikit_learns(kept):
    other = pytest.importorskip("sklearn.decomposition").PCA(kept, svd_solver="full").fit(X)
    pca = PCA(kept).fit(X)
    signs = np.sign((pca.components * other.components_).sum(1))
    np.testing.assert_allclose(pca.components * signs[:, None], other.components_, atol=1e-9)
    np.testing.assert_allclose(pca.explained_variance, other.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(pca.explained_variance_ratio, other.explained_variance_ratio_,
                               rtol=1e-9)
    y = pca.transform(X)
    assert y.dtype == np.float32 and y.shape == (200, kept or 7)
    np.testing.assert_allclose(y * signs, other.transform(X), atol=1e-5)
    back = other.inverse_transform(other.transform(X))
    np.testing.assert_allclose(pca.inverse_transform(y), back,
                               atol=1e-4)


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_whitening_is_scikit_learns_up_to_its_n_minus_one(method):
    sklearn = pytest.importorskip("sklearn.decomposition")
    other = sklearn.PCA(whiten=True, svd_solver="full").fit(X)
    expected = other.transform(X) * np.sqrt(len(X) / (len(X) - 1))
    if method == "zca":
        expected = expected @ other.components_
    y = Whiten(method, eps=0).fit_transform(X)
    signs = np.sign((y * expected).sum(0))
    assert method == "pca" or (signs > 0).all()
    np.testing.assert_allclose(y * signs, expected, atol=2e-4)


def test_images_become_rows_and_come_back():
    images = np.random.default_rng(2).integers(0, 256, (60, 2, 4, 3), dtype=np.uint8)
    pca = PCA().fit(images)
    assert pca.transform(images).shape == (60, 24)
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(images)), images / 255,
                               atol=1e-5)
    x, _ = next(Batches(images, np.zeros(60, int), 60, preprocess=pca, shuffle=False).epoch(0))
    np.testing.assert_array_equal(x, pca.transform(images))


def test_wrong_numbers():
    with pytest.raises(ValueError, match="n_components must be an integer from 1 on"):
        PCA(0)
    with pytest.raises(ValueError, match="3 examples of 7 features have 3 components at most"):
        PCA(4).fit(X[:3])
    with pytest.raises(ValueError, match=r"y has shape \(2, 4\), expected \(n, 3\)"):
        PCA(3).fit(X).inverse_transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="call fit before inverse_transform"):
        PCA(3).inverse_transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="have 4 components at most"):
        PCA(5).blank((2, 2))
