"""Principal component analysis: rotate examples to the directions in which they vary most."""

import math
from collections.abc import Mapping

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.blas import one_blas_thread
from fastnn.data.arrays import Array
from fastnn.data.directions import directions_of
from fastnn.data.examples import Examples
from fastnn.data.preprocess import Float64, Preprocessor, Steps, own_floats, subtract_mean


class PCA(Preprocessor):
    """Keep the components of the largest variance.

        y = (x - mean) componentsᵀ

    with the first rows of Vᵀ as components, where S = V diag(λ) Vᵀ is the covariance of the
    flattened examples. The values of y are uncorrelated, the largest variance first.

    Args:
        n_components: how many to keep; None: all, min(n, features).

    Attributes:
        mean: (features,), features = product of an example's shape.
        components: (n_components, features), orthonormal rows; the largest entry of each is
            positive.
        explained_variance: (n_components,), over n - 1 examples, as scikit-learn has it.
        explained_variance_ratio: (n_components,), shares of the whole variance.

    Fitting takes 8 * features² bytes a few times over, and features³ operations.

    Raises:
        ValueError: `n_components` is below 1, or above min(n, features) when fitting.

    Source: Pearson, "On lines and planes of closest fit to systems of points in space" (1901).

    Example:
        >>> x = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
        >>> pca = PCA(n_components=1).fit(x)
        >>> pca.transform(x).round(3)
        array([[-1.414],
               [ 0.   ],
               [ 1.414]], dtype=float32)
        >>> float(pca.explained_variance_ratio.round(6)[0])
        1.0
    """

    mean: Float64
    components: Float64
    explained_variance: Float64
    explained_variance_ratio: Float64

    def __init__(self, n_components: int | None = None) -> None:
        if n_components is not None:
            n_components = integer(n_components, "n_components", "an integer from 1 on, or None", 1)
        self.n_components = n_components

    def _fit(self, x: Examples) -> None:
        mean, variances, vectors = directions_of(x)
        most = min(x.count, mean.size)
        kept = most if self.n_components is None else self.n_components
        if kept > most:
            raise ValueError(f"{self!r}: {x.count} examples of {mean.size} features have "
                             f"{most} components at most")
        total = variances.sum()
        self.mean = mean
        self.components = np.ascontiguousarray(vectors[:, :kept].T)
        self.explained_variance = variances[:kept] * (x.count / max(x.count - 1, 1))
        self.explained_variance_ratio = variances[:kept] / (total or 1.0)

    def transform(self, x: Array) -> np.typing.NDArray[np.float32]:
        """Return the components of `x` (n, ...), float32 (n, n_components).

        Raises:
            ValueError: `fit` was not called, or `x` differs in shape from the fitted examples.
        """
        self._check(x)
        flat = own_floats(x).reshape(len(x), -1)
        subtract_mean(flat, self.mean)
        with one_blas_thread():
            components: np.typing.NDArray[np.float32] = flat @ self.components.T.astype(flat.dtype)
        return components.astype(np.float32, copy=False)

    def inverse_transform(self, y: Array) -> np.typing.NDArray[np.float32]:
        """Return the examples whose components are `y` (n, n_components): y components + mean.

        Raises:
            ValueError: `fit` was not called, or `y` has another number of components.
        """
        self._check_fitted("inverse_transform")
        instance(y, "y", np.ndarray)
        if y.ndim != 2 or y.shape[1] != len(self.components):
            raise ValueError(f"{self!r}: y has shape {y.shape}, expected "
                             f"(n, {len(self.components)})")
        with one_blas_thread():
            x = y.astype(np.float64) @ self.components + self.mean
        return x.astype(np.float32).reshape(len(y), *self.example_shape or ())

    def _blank(self, example_shape: tuple[int, ...]) -> None:
        features = math.prod(example_shape)
        kept = features if self.n_components is None else self.n_components
        if kept > features:
            raise ValueError(f"{self!r}: examples of shape {example_shape} have {features} "
                             "components at most")
        self.mean, self.components = np.zeros(features), np.eye(kept, features)
        self.explained_variance = self.explained_variance_ratio = np.zeros(kept)

    @property
    def steps(self) -> Steps:
        """Subtract the mean, multiply by the components."""
        return Steps(self.mean.reshape(self.example_shape or ()), matrix=self.components.T,
                     is_reshaped=False)

    def _arrays(self) -> dict[str, Array]:
        return {"mean": self.mean, "components": self.components,
                "explained_variance": self.explained_variance,
                "explained_variance_ratio": self.explained_variance_ratio,
                "n_components": np.array(self.n_components or 0)}

    def _restore(self, state: Mapping[str, Array]) -> None:
        for name in ("mean", "components", "explained_variance", "explained_variance_ratio"):
            setattr(self, name, np.array(state[name], np.float64))
        self.n_components = int(state["n_components"]) or None

    def __repr__(self) -> str:
        return f"PCA(n_components={self.n_components})"
