"""Whitening: rotate and scale examples so that their covariance is the identity."""

from collections.abc import Mapping

import numpy as np

from fastnn.arguments import choice, real
from fastnn.blas import one_blas_thread
from fastnn.data.arrays import Array, as_float, pieces
from fastnn.data.preprocess import Float64, Preprocessor, mean_over, subtract_mean

METHODS = ("pca", "zca")
BLAS_BYTES = 1 << 20  # in which a product packs its operands


class Whiten(Preprocessor):
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
    tables and small images.

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

    # One BLAS thread: how it splits a product changes the last bits, and a run must not depend
    # on the number of threads.

    def _fit(self, x: Array) -> None:
        with one_blas_thread():
            self._measure(x)

    def _measure(self, x: Array) -> None:
        mean = mean_over(x, (0,))
        covariance = np.zeros((mean.size, mean.size))
        for piece in pieces(x):
            centred = (as_float(piece) - mean).reshape(len(piece), -1)
            covariance += centred.T @ centred
        variances, directions = np.linalg.eigh(covariance / len(x))
        # eigh returns the smallest first, with arbitrary signs: make both definite.
        variances, directions = variances[::-1], directions[:, ::-1]
        largest = np.abs(directions).argmax(axis=0)
        directions = directions * np.sign(directions[largest, np.arange(mean.size)])
        scaled = np.maximum(variances, 0) + self.eps
        # With eps = 0, a direction without variance beyond rounding is dropped, not blown up.
        varies = scaled > variances[0] * mean.size * np.finfo(np.float64).eps
        scale = np.divide(1.0, np.sqrt(scaled), out=np.zeros_like(scaled), where=varies)
        self.mean = mean.ravel()
        self.matrix = directions * scale
        if self.method == "zca":
            self.matrix = self.matrix @ directions.T

    def _change(self, x: Array) -> None:
        flat = x.reshape(len(x), -1).copy()
        subtract_mean(flat, self.mean)
        with one_blas_thread():
            x[...] = (flat @ self.matrix.astype(x.dtype)).reshape(x.shape)

    def working_bytes(self, values: int) -> int:
        """Bytes that `change` takes: the centred batch, its product, and the matrix."""
        return (2 * values + self.matrix.size) * np.dtype(np.float32).itemsize + BLAS_BYTES

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
