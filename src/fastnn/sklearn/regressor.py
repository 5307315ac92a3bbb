"""A net as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from fastnn import nn
from fastnn.sklearn.estimator import FastnnEstimator


class FastnnRegressor(RegressorMixin, FastnnEstimator):
    """A net that predicts numbers, with scikit-learn's protocol.

    Trained by half the mean squared error, as `sklearn.neural_network.MLPRegressor`. y: (n,), or
    (n, targets). All parameters are those of `FastnnClassifier`, without class_weight; its page
    says what they mean. Scale X and y: a net learns values around 1.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> net = FastnnRegressor((32,), learning_rate_init=0.01, epochs=150, random_state=0)
    >>> net.fit(x, np.abs(x).ravel()).score(x, np.abs(x).ravel()) > 0.98
    True
    """

    _figure = "r2"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on examples X with targets y; sample_weight: (n,), what each example counts."""
        x, y = self._examples(X, reset=True, y=y, multi_output=True, y_numeric=True)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        return self._learn(x, y, sample_weight, self.epochs,
                           self.warm_start and hasattr(self, "model_"))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch more."""
        begins = not hasattr(self, "model_")
        x, y = self._examples(X, reset=begins, y=y, multi_output=True, y_numeric=True)
        return self._learn(x, y, sample_weight, 1, not begins)

    def _learn(self, x: np.ndarray, y: np.ndarray, sample_weight: Any, epochs: int,
               goes_on: bool) -> Self:
        self._is_flat = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(np.float32)
        self._train(x, targets, self._weights(sample_weight, x), targets.shape[1], _Half(), epochs,
                    goes_on)
        return self

    def _metrics(self) -> Any:
        return ["r2"]

    def predict(self, X: Any) -> np.ndarray:
        """Targets (n,), or (n, targets) if there are several."""
        found = self._outputs(X).astype(np.float64)
        return found.ravel() if self._is_flat else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True  # as MLPRegressor, on data that is not scaled
        return tags


class _Half(nn.MSELoss):
    """Half the mean squared error."""

    def forward(self, input: Any, target: Any) -> Any:
        return super().forward(input, target) * 0.5
