"""What the two estimators share: their parameters, and how they are fitted.

Parameters mean what they mean in scikit-learn's MLPClassifier where they have its names. Those of
fastnn's own: model, optimizer (in place of solver), epochs (of max_iter), memory_budget, augment.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn import nn, optim
from fastnn.data.batches import Batches
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import get_rng_state, manual_seed, set_rng_state
from fastnn.sklearn.nets import Model, make_net
from fastnn.sklearn.stopping import NoChange
from fastnn.training.example_weights import sample_weights
from fastnn.training.prediction import Outputs, computed
from fastnn.training.progress import ProgressBar
from fastnn.training.sources import Weighed
from fastnn.training.trainer import Trainer

PREDICTED = 1024  # examples in a batch
OPTIMIZERS = ("adam", "adamw", "sgd")
RATES = ("constant", "one-cycle", "cosine")


class FastnnEstimator(BaseEstimator):
    """A net with scikit-learn's protocol; see `FastnnClassifier`."""

    _figure = "accuracy"  # of the held-out examples, larger is better

    def __init__(
        self, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, model: Model = None,
        optimizer: str = "adam", alpha: float = 1e-4, batch_size: int | str = "auto",
        learning_rate: str = "constant", learning_rate_init: float = 1e-3, epochs: int = 200,
        shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False,
        warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
        early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: int = 10,
        memory_budget: Any = None, augment: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.model = model
        self.optimizer = optimizer
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.epochs = epochs
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.memory_budget = memory_budget
        self.augment = augment

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _examples(self, X: Any, reset: bool, **options: Any) -> Any:
        """X, or X and y, as float32: (n, features), or images (n, channels, height, width)."""
        scale = np.float32(255 if getattr(X, "ndim", 0) == 4 and X.dtype == np.uint8 else 1)
        found = validate_data(self, X, reset=reset, allow_nd=True, dtype=(np.float64, np.float32),
                              **options)
        x, rest = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
        if x.ndim not in (2, 4):
            raise ValueError(f"Found array with dim {x.ndim}, expected X of shape (n, features) or "
                             "images (n, channels, height, width)")
        if not reset and x.shape[1:] != self.input_shape_:
            raise ValueError(f"X has examples of shape {x.shape[1:]}, the estimator was fitted to "
                             f"{self.input_shape_}")
        x = np.divide(x, scale, dtype=np.float32) if scale != 1 else x.astype(np.float32)
        return (x, *rest) if rest else x

    def _train(self, x: np.ndarray, y: np.ndarray, weight: Any, outputs: int, loss: nn.Module,
               epochs: int, goes_on: bool) -> None:
        """Fit the net for so many epochs. goes_on: with the net and the optimizer of before."""
        self._check(len(x))
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        with process_lock:  # one fit at a time: the random state is the process's
            state = get_rng_state()
            try:
                manual_seed(seed)
                size = min(200 if self.batch_size == "auto" else int(self.batch_size), len(x))
                if not goes_on or not hasattr(self, "_trainer"):
                    if not goes_on or not hasattr(self, "model_"):
                        self.model_ = make_net(self.model, x.shape[1:], outputs,
                                               self.hidden_layer_sizes, self.activation)
                        self.loss_curve_: list[float] = []
                        self.input_shape_ = x.shape[1:]
                    counted = size if weight is None else size * float(weight.mean())
                    self._trainer = self._new_trainer(
                        loss, self.alpha / max(counted, 1e-6), epochs,
                        epochs * -(-len(x) // size))
                self._fit_epochs(x, y, weight, size, epochs, seed)
            finally:
                set_rng_state(state)

    def _check(self, count: int) -> None:
        """Refuse parameters that make no sense, before anything is trained."""
        for name, least, most in (
                ("alpha", 0, np.inf), ("learning_rate_init", 0, np.inf), ("tol", 0, np.inf),
                ("momentum", 0, 1), ("validation_fraction", 0, 1), ("epochs", 1, np.inf),
                ("n_iter_no_change", 1, np.inf)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not (
                    least <= value <= most):
                raise ValueError(f"{name} must be a number from {least} to {most}, got {value!r}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got "
                             f"{self.optimizer!r}")
        if self.learning_rate not in RATES:
            raise ValueError(f"learning_rate must be one of {', '.join(RATES)}, got "
                             f"{self.learning_rate!r}")
        if self.batch_size != "auto" and (not isinstance(self.batch_size, (int, np.integer))
                                          or self.batch_size < 1):
            raise ValueError(f"batch_size must be 'auto' or an integer from 1 on, got "
                             f"{self.batch_size!r}")

    def _new_trainer(self, loss: nn.Module, decay: float, epochs: int, steps: int) -> Trainer:
        """decay: MLPClassifier's penalty alpha |w|^2 / 2 is of a batch's sum, the loss of its mean.
        """
        parameters = list(self.model_.parameters())
        groups = [{"params": [each for each in parameters if each.ndim > 1],
                   "weight_decay": decay},
                  {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        rate: Any = self.learning_rate_init
        if self.optimizer == "sgd":
            optimizer: Any = optim.SGD(groups, lr=rate, momentum=self.momentum,
                                       nesterov=self.nesterovs_momentum and self.momentum > 0)
        else:
            kind = optim.Adam if self.optimizer == "adam" else optim.AdamW
            optimizer = kind(groups, lr=rate, betas=(self.beta_1, self.beta_2), eps=self.epsilon)
        schedule: Any = None
        if self.learning_rate == "one-cycle":
            schedule = optim.OneCycleLR(optimizer, rate, steps, cycle_momentum=False)
        elif self.learning_rate == "cosine":
            schedule = optim.CosineAnnealingLR(optimizer, epochs)
        return Trainer(self.model_, loss, optimizer, schedule, self.memory_budget,
                       [ProgressBar()] if self.verbose else [], metrics=self._metrics())

    def _metrics(self) -> Any:
        return None

    def _fit_epochs(self, x: np.ndarray, y: np.ndarray, weight: Any, size: int, epochs: int,
                    seed: int) -> None:
        trainer, held = self._trainer, None
        if self.early_stopping and epochs > 1:
            kept, out = self._held_out(y, seed)
            held = (x[out], y[out]) if weight is None else (x[out], y[out], weight[out])
            x, y = x[kept], y[kept]
            weight = None if weight is None else weight[kept]
        watch = NoChange(f"validation_{self._figure}" if held else "loss", 1 if held else -1,
                         self.tol, self.n_iter_no_change, held is not None)
        own, before = list(trainer.callbacks), trainer.epoch
        trainer.callbacks = [*own, watch] if epochs > 1 else own
        batches: Any = Batches(x, y, min(size, len(x)), self.shuffle, (seed + before) % 2**31,
                               transform=self.augment)
        if weight is not None:
            batches = Weighed(batches, sample_weights(weight, len(x)), 0)
        try:
            trainer.fit(batches, held, epochs, seed=seed + before)
        finally:
            trainer.callbacks = own
        self.loss_curve_ = [*self.loss_curve_, *(record["loss"]
                                                 for record in trainer.history[before:])]
        self.loss_, self.n_iter_ = self.loss_curve_[-1], len(self.loss_curve_)
        if held:
            self.validation_scores_ = [record[f"validation_{self._figure}"]
                                       for record in trainer.history[before:]]
        if epochs > 1 and not watch.stopped and self.learning_rate == "constant":
            warnings.warn(f"Maximum epochs ({epochs}) reached and the training has not converged "
                          "yet; raise epochs or tol", ConvergenceWarning, stacklevel=4)

    def _held_out(self, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices to train on and to hold out."""
        order = np.random.default_rng(seed).permutation(len(y))
        count = max(1, round(len(y) * self.validation_fraction))
        if count >= len(y):
            raise ValueError(f"early_stopping holds out {count} of {len(y)} examples, and none is "
                             "left; lower validation_fraction or give more")
        return np.sort(order[count:]), np.sort(order[:count])

    def _weights(self, sample_weight: Any, x: np.ndarray) -> np.ndarray | None:
        if sample_weight is None:
            return None
        return np.asarray(_check_sample_weight(sample_weight, x, dtype=np.float32,
                                               ensure_non_negative=True))

    def _outputs(self, X: Any) -> np.ndarray:
        """What the net returns for examples, in batches."""
        check_is_fitted(self)
        x = self._examples(X, reset=False)
        return np.asarray(computed(Outputs(self.model_), x, PREDICTED, self.memory_budget,
                                   "a prediction of an estimator"))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_trainer"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        tags.non_deterministic = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to X and y."""
        raise NotImplementedError
