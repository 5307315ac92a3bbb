"""The area under the receiver operating characteristic curve, through scikit-learn."""

from __future__ import annotations

import copy
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import choice, flag
from fastnn.metrics.classes import classes_of, kind_of
from fastnn.metrics.metric import Metric, spread


class ROCAUC(Metric):
    """The chance that an example of a class has a larger score for it than one of another class.

    For several classes the mean over classes of that of each against the rest. average: how,
    "macro" or "weighted" by their targets, as scikit-learn's roc_auc_score. output: (n, classes),
    or (n,) or (n, 1) for targets of 0 or 1. from_logits: whether outputs of several classes become
    probabilities by softmax. All outputs are kept until `reset`: their memory grows with the
    examples, beside any memory budget. Not defined, None, unless all classes occur.

    Raises ImportError without scikit-learn, ValueError for other targets.

    >>> auc = ROCAUC()                                                # doctest: +SKIP
    >>> auc.update(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))  # doctest: +SKIP
    >>> auc.value()                                                   # doctest: +SKIP
    0.75
    """

    initial: ClassVar[dict[str, Any]] = {"scores": None, "targets": None, "weights": None}

    def __init__(
        self, average: str = "macro", from_logits: bool = True, name: str = "roc_auc"
    ) -> None:
        if find_spec("sklearn") is None:
            raise ImportError("the metric ROCAUC needs scikit-learn: pip install scikit-learn")
        self.average = choice(average, "average", ("macro", "weighted"))
        self.from_logits = flag(from_logits, "from_logits")
        super().__init__(name)

    def reset(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in self.initial}

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind = kind_of(self.name, output, target)
        if kind == "shares" or len(output) > 2 or (kind == "binary" and target.ndim > 2):
            raise ValueError(f"{self.name} needs outputs (n, classes) and class numbers, got "
                             f"outputs {output} and targets {target.shape} of {target.dtype}")

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        weights = np.ones(target.shape) if weight is None else np.array(
            spread(weight, target.shape, self.name), np.float64)
        counts = (weights != 0).ravel()
        self.check(output.shape, np.where(weights != 0, target, 0))
        scores = output.reshape(len(output), -1)[counts]
        for name, part in (("scores", scores), ("targets", target.ravel()[counts]),
                           ("weights", weights.ravel()[counts])):
            kind = np.float32 if name == "scores" else np.int64 if name == "targets" else np.float64
            self._parts[name].append(part.astype(kind))

    def value(self) -> float | None:
        state = self.state_dict()
        if state["targets"] is None:
            return None
        from sklearn.metrics import roc_auc_score

        scores, targets, weights = state["scores"], state["targets"], state["weights"]
        classes = classes_of("binary" if scores.shape[1] == 1 else "numbers", scores.shape)
        if len(np.unique(targets)) < classes:
            return None
        if classes == 2:
            margins = scores[:, -1].astype(np.float64) - (scores[:, 0] if scores.shape[1] == 2
                                                          else 0.0)
            return float(roc_auc_score(targets, margins, sample_weight=weights))
        chances = scores.astype(np.float64)
        if self.from_logits:
            chances = np.exp(chances - chances.max(axis=1, keepdims=True))
        chances = chances / chances.sum(axis=1, keepdims=True)
        return float(roc_auc_score(targets, chances, sample_weight=weights, multi_class="ovr",
                                   average=self.average))

    def fresh(self) -> ROCAUC:
        other = copy.copy(self)  # not of the outputs
        other.reset()
        return other

    def state_dict(self) -> dict[str, Any]:
        return {name: np.concatenate(parts) if parts else None
                for name, parts in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        before = vars(self).copy()
        super().load_state_dict(state)
        lengths = {0 if value is None else len(value) for value in state.values()}
        for name in self.initial:
            vars(self).pop(name)
        if len(lengths) != 1 or (lengths != {0} and np.ndim(state["scores"]) != 2):
            vars(self).update(before)
            raise ValueError(f"{self.name}: scores, targets and weights do not belong together")
        self._parts = {name: [] if value is None else [value] for name, value in state.items()}
