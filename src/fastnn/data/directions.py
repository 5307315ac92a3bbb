"""Principal directions of examples: what PCA and whitening rest on."""

from typing import NamedTuple

import numpy as np

from fastnn.blas import one_blas_thread
from fastnn.data.examples import Examples
from fastnn.data.preprocess import Float64, mean_over


class Directions(NamedTuple):
    """The mean (features,) of the flattened examples, and the eigenvalues and eigenvectors of
    their covariance S = V diag(λ) Vᵀ, over n examples and not n - 1.

    variances: λ (features,), the largest first, none negative. vectors: V (features, features),
    a column for each; the largest entry of each is positive.
    """

    mean: Float64
    variances: Float64
    vectors: Float64


def directions_of(x: Examples) -> Directions:
    """Measure them in two passes, in float64; 8 * features² bytes a few times over.

    One BLAS thread: how it splits a product changes the last bits, and a run must not depend on the
    number of threads.
    """
    with one_blas_thread():
        mean = mean_over(x, (0,))
        covariance = np.zeros((mean.size, mean.size))
        for piece in x:
            centred = (piece - mean).reshape(len(piece), -1)
            covariance += centred.T @ centred
        variances, vectors = np.linalg.eigh(covariance / x.count)
    # eigh returns the smallest first, with arbitrary signs: make both definite.
    variances, vectors = variances[::-1], vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(mean.size)])
    return Directions(mean.ravel(), np.maximum(variances, 0), vectors)
