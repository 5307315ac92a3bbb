"""Whitening: rotate and scale examples so that their covariance is the identity."""

import math
import warnings
from collections.abc import Mapping

import numpy as np

from fastnn.arguments import choice, real
from fastnn.blas import one_blas_thread
from fastnn.data.arrays import Array
from fastnn.data.directions import directions_of
from fastnn.data.examples import Examples
from fastnn.data.preprocess import Float64, InPlace, Steps, subtract_mean

METHODS = ("pca", "zca")
BLAS_BYTES = 1 << 20  # in which a product packs its operands


class Whiten(InPlace):
    """Decorrelate the features and give each the variance 1.

    With the covariance S = V diag(λ) Vᵀ of the flattened examples (over n, not n - 1),

        pca: y = (x - mean) V diag(λ + eps)^(-1/2)
        zca: y = (x - mean) V diag(λ + eps)^(-1/2) Vᵀ

    The values of "pca" are components, the largest variance first; those of "zca" stay as close
    to the original features as whitened ones can, so that an image still looks like itself.

    Args:
        method: "pca" or "zca".
        eps: added to each variance: keeps directions without variance from being blown up.

    Attributes:
        mean: (features,), features = product of an example's shape.
        matrix: (features, features), so that y = (x - mean) matrix.

    Fitting takes 8 * features² bytes a few times over, and features³ operations: meant for
    tables and small images. It warns of fewer examples than features.

    Raises:
        ValueError: `method` is unknown or `eps` negative; `fit` and `transform` as in
            `Preprocessor`.

    Source: Bell and Sejnowski, "The 'independent components' of natural scenes are edge
    filters" (1997), for ZCA.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(500, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
        >>> y = Whiten("zca").fit_transform(x)
        >>> bool(np.allclose(np.cov(y.T, bias=True), np.eye(2), atol=1e-3))
        True
    """

    mean: Float64
    matrix: Float64

    def __init__(self, method: str = "pca", eps: float = 1e-5) -> None:
        choice(method, "method", METHODS)
        eps = real(eps, "eps", "a number from 0 on", 0)
        self.method = method
        self.eps = eps

    def _fit(self, x: Examples) -> None:
        mean, variances, vectors = directions_of(x)
        if x.count <= mean.size:
            warnings.warn(
                f"{self!r}: x has {x.count} examples of {mean.size} features, so that at most "
                f"{x.count - 1} directions vary; the others become 0. Fit to more examples, or to "
                "fewer features: PCA(n_components=...)", stacklevel=3)
        scaled = variances + self.eps
        # With eps = 0, a direction without variance beyond rounding is dropped, not blown up.
        varies = scaled > variances[0] * mean.size * np.finfo(np.float64).eps
        scale = np.divide(1.0, np.sqrt(scaled), out=np.zeros_like(scaled), where=varies)
        self.mean = mean
        self.matrix = vectors * scale
        if self.method == "zca":
            with one_blas_thread():
                self.matrix = self.matrix @ vectors.T

    def _change(self, x: Array) -> None:
        flat = x.reshape(len(x), -1).copy()
        subtract_mean(flat, self.mean)
        with one_blas_thread():
            x[...] = (flat @ self.matrix.astype(x.dtype)).reshape(x.shape)

    def working_bytes(self, values: int) -> int:
        """Bytes that `change` takes: the centred batch, its product, and the matrix."""
        return (2 * values + self.matrix.size) * np.dtype(np.float32).itemsize + BLAS_BYTES

    def _blank(self, example_shape: tuple[int, ...]) -> None:
        features = math.prod(example_shape)
        self.mean, self.matrix = np.zeros(features), np.eye(features)

    @property
    def steps(self) -> Steps:
        """Subtract the mean, multiply by the matrix."""
        return Steps(self.mean.reshape(self.example_shape or ()), matrix=self.matrix)

    def _arrays(self) -> dict[str, Array]:
        return {
            "mean": self.mean,
            "matrix": self.matrix,
            "method": np.array(METHODS.index(self.method)),
            "eps": np.array(self.eps),
        }

    def _restore(self, state: Mapping[str, Array]) -> None:
        self.mean = np.array(state["mean"], np.float64)
        self.matrix = np.array(state["matrix"], np.float64)
        self.method = METHODS[int(state["method"])]
        self.eps = float(state["eps"])

    def __repr__(self) -> str:
        return f"Whiten({self.method!r}, eps={self.eps})"
