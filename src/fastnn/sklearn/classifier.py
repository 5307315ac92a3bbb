"""A net as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from fastnn import nn
from fastnn.sklearn.estimator import FastnnEstimator


class FastnnClassifier(ClassifierMixin, FastnnEstimator):
    """A net that classifies, with scikit-learn's protocol.

    p(class | x) = softmax(net(x)), trained by cross-entropy. y may be class labels (numbers or
    texts), or for several labels at once a matrix of 0 and 1 (n, labels), with
    p(label | x) = sigmoid(net(x)).

    X: (n, features), or images (n, channels, height, width), bytes divided by 255.
    hidden_layer_sizes, activation: of the layers where there is no `model`. model: a name of
    `fastnn.models`, such as "cnn" or "resnet20"; a module, of which each fit trains a copy; or a
    function of (shape of an example, outputs) that returns one. optimizer: "adam", "adamw" or
    "sgd". epochs: the most. batch_size: "auto" is min(200, n). learning_rate: "constant",
    "one-cycle" or "cosine", with learning_rate_init as the highest rate. augment: changes of
    pictures, such as `fastnn.data.RandomCrop`. memory_budget: bytes that the process may hold, or
    text such as "512MiB". class_weight: {label: weight} or "balanced". The others are those of
    `sklearn.neural_network.MLPClassifier`: alpha, shuffle, random_state, tol, verbose, warm_start,
    momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon,
    n_iter_no_change.

    The same random_state gives the same bits for any number of threads and any budget.

    After fit: classes_, model_ (the trained module), loss_curve_, loss_, n_iter_, n_features_in_,
    input_shape_; with early_stopping validation_scores_.

    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(10, axis=0)
    >>> y = np.array(["same", "other", "other", "same"]).repeat(10)
    >>> net = FastnnClassifier((16,), learning_rate_init=0.02, epochs=150, random_state=0).fit(x, y)
    >>> net.predict([[0, 1], [1, 1]]).tolist()
    ['other', 'same']
    """

    # scikit-learn reads the parameters from this signature, so the base class's are named again.
    def __init__(
        self, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, model: Any = None,
        optimizer: str = "adam", alpha: float = 1e-4, batch_size: int | str = "auto",
        learning_rate: str = "constant", learning_rate_init: float = 1e-3, epochs: int = 200,
        shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False,
        warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
        early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: int = 10,
        memory_budget: Any = None, augment: Any = None, class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes, activation, model=model, optimizer=optimizer, alpha=alpha,
            batch_size=batch_size, learning_rate=learning_rate,
            learning_rate_init=learning_rate_init, epochs=epochs, shuffle=shuffle,
            random_state=random_state, tol=tol, verbose=verbose, warm_start=warm_start,
            momentum=momentum, nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping, validation_fraction=validation_fraction, beta_1=beta_1,
            beta_2=beta_2, epsilon=epsilon, n_iter_no_change=n_iter_no_change,
            memory_budget=memory_budget, augment=augment)
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on examples X with labels y; sample_weight: (n,), what each example counts."""
        x, y = self._examples(X, reset=True, y=y, multi_output=True)
        goes_on = self.warm_start and hasattr(self, "model_")
        targets = self._targets(y, None, goes_on)
        return self._learn(x, y, targets, sample_weight, self.epochs, goes_on)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch more. classes: all labels, needed at the first call."""
        begins = not hasattr(self, "model_")
        x, y = self._examples(X, reset=begins, y=y, multi_output=True)
        if begins and classes is None and type_of_target(y) != "multilabel-indicator":
            raise ValueError("classes must be passed on the first call to partial_fit.")
        targets = self._targets(y, classes, not begins)
        return self._learn(x, y, targets, sample_weight, 1, not begins)

    def _targets(self, y: np.ndarray, classes: Any, goes_on: bool) -> np.ndarray:
        """Class numbers (n,), or 0 and 1 (n, labels) as float32; sets classes_."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            self._is_multilabel = True
            self.classes_ = np.arange(y.shape[1])
            return y.astype(np.float32)
        y = column_or_1d(y, warn=True)
        found = unique_labels(y)
        known = found if classes is None else unique_labels(classes)
        known = self.classes_ if goes_on else known
        if not np.isin(found, known).all():
            raise ValueError(f"y has labels that are not in classes: "
                             f"{np.setdiff1d(found, known).tolist()}")
        if len(known) < 2:
            raise ValueError(f"y has one class, {known[0]!r}; a classifier needs two or more")
        self._is_multilabel, self.classes_ = False, known
        return np.searchsorted(known, y).astype(np.int64)

    def _learn(self, x: np.ndarray, y: np.ndarray, targets: np.ndarray, sample_weight: Any,
               epochs: int, goes_on: bool) -> Self:
        weight = self._weights(sample_weight, x)
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y).astype(np.float32)
            weight = balance if weight is None else weight * balance
        loss: nn.Module = nn.BCEWithLogitsLoss() if self._is_multilabel else nn.CrossEntropyLoss()
        self._train(x, targets, weight, len(self.classes_), loss, epochs, goes_on)
        return self

    def _held_out(self, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """As many of each class as it has, by its share."""
        if y.ndim == 2:
            return super()._held_out(y, seed)
        order, rng = [], np.random.default_rng(seed)
        for number in np.unique(y):
            members = rng.permutation(np.flatnonzero(y == number))
            order.append(members[:round(len(members) * self.validation_fraction)])
        out = np.sort(np.concatenate(order))
        if not 0 < len(out) < len(y):
            return super()._held_out(y, seed)
        return np.setdiff1d(np.arange(len(y)), out, assume_unique=True), out

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, classes), in the order of classes_."""
        scores = self._outputs(X).astype(np.float64)
        if self._is_multilabel:
            return np.asarray(1 / (1 + np.exp(-scores)))
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of `predict_proba`."""
        return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: Any) -> np.ndarray:
        """Labels (n,), or 0 and 1 (n, labels)."""
        scores = self._outputs(X)
        if self._is_multilabel:
            return (scores > 0).astype(np.int64)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
