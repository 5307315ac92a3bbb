"""An RBM and whitening as scikit-learn's transformers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.data.whiten import Whiten
from fastnn.pretraining.rbm import RBM
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import get_rng_state, manual_seed, set_rng_state


class RBMTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A restricted Boltzmann machine whose hidden units are features; see `fastnn.nn.RBM`.

    Parameters as of `sklearn.neural_network.BernoulliRBM`: n_components, learning_rate, batch_size,
    n_iter, random_state; and k and persistent, as of `RBM.fit`. X: values from 0 to 1; with
    visible_type="gaussian" real ones of variance 1, for which a rate of 0.001 is usual.

    >>> import numpy as np
    >>> x = np.eye(6)[np.arange(60) % 6]
    >>> RBMTransformer(4, n_iter=3, random_state=0).fit_transform(x).shape
    (60, 4)
    """

    def __init__(
        self, n_components: int = 256, *, learning_rate: float = 0.1, batch_size: int = 10,
        n_iter: int = 10, k: int = 1, persistent: bool = False,
        visible_type: str = "bernoulli", random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.persistent = persistent
        self.visible_type = visible_type
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on X (n, features)."""
        x = validate_data(self, X, dtype=(np.float64, np.float32)).astype(np.float32)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with process_lock:  # one fit at a time: the random state is the process's
            state = get_rng_state()
            try:
                manual_seed(seed)
                self.rbm_ = RBM(x.shape[1], self.n_components, self.visible_type)
                self.rbm_.fit(x, self.n_iter, self.learning_rate, self.batch_size, self.k,
                              self.persistent)
            finally:
                set_rng_state(state)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """p(hidden unit = 1 | x), (n, n_components)."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=(np.float64, np.float32)).astype(np.float32)
        return np.asarray(self.rbm_.transform(x))

    @property
    def _n_features_out(self) -> int:
        return int(self.rbm_.hidden)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class Whitening(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """PCA or ZCA whitening: features of covariance 1; see `fastnn.data.Whiten`.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((50, 3)) @ np.ones((3, 3)) + np.eye(50, 3)
    >>> Whitening().fit_transform(x).shape
    (50, 3)
    """

    def __init__(self, method: str = "zca", *, eps: float = 1e-5) -> None:
        self.method = method
        self.eps = eps

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the directions of X (n, features)."""
        x = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        self.whiten_ = Whiten(self.method, self.eps).fit(x)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """X in these directions, (n, features), float32."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        return np.asarray(self.whiten_.transform(x))

    @property
    def _n_features_out(self) -> int:
        return int(self.n_features_in_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
