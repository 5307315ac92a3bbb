"""Metrics by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from fastnn.metrics.accuracy import Accuracy, BinaryAccuracy, TopK
from fastnn.metrics.calibration import CalibrationError
from fastnn.metrics.counts import AVERAGES, F1, ConfusionMatrix, Precision, Recall
from fastnn.metrics.metric import Mean, Metric
from fastnn.metrics.probability import Brier, Margin, NegativeLogLikelihood
from fastnn.metrics.regression import R2, MeanAbsoluteError, MeanSquaredError
from fastnn.metrics.roc_auc import ROCAUC

Make = Callable[[str, float], Metric]  # from the figure's name and the threshold


def _are_logits(threshold: float) -> bool:
    """Whether outputs are logits: of probabilities the threshold of class 1 is not 0."""
    return threshold == 0.0


NAMES: dict[str, Make] = {
    "accuracy": lambda name, threshold: Accuracy(threshold, name),
    "acc": lambda name, threshold: Accuracy(threshold, name),
    "binary_accuracy": lambda name, threshold: BinaryAccuracy(threshold, name),
    "brier": lambda name, threshold: Brier(_are_logits(threshold), name),
    "calibration": lambda name, threshold: CalibrationError(
        from_logits=_are_logits(threshold), name=name),
    "confusion_matrix": lambda name, threshold: ConfusionMatrix(None, threshold, name),
    "ece": lambda name, threshold: CalibrationError(
        from_logits=_are_logits(threshold), name=name),
    "mae": lambda name, threshold: MeanAbsoluteError(name),
    "margin": lambda name, threshold: Margin(_are_logits(threshold), name),
    "mean_absolute_error": lambda name, threshold: MeanAbsoluteError(name),
    "mse": lambda name, threshold: MeanSquaredError(True, name),
    "mean_squared_error": lambda name, threshold: MeanSquaredError(True, name),
    "nll": lambda name, threshold: NegativeLogLikelihood(_are_logits(threshold), name),
    "rmse": lambda name, threshold: MeanSquaredError(False, name),
    "root_mean_squared_error": lambda name, threshold: MeanSquaredError(False, name),
    "r2": lambda name, threshold: R2(name),
    "roc_auc": lambda name, threshold: ROCAUC(name=name),
}


def _counts(kind: type[Any], average: str) -> Make:
    return lambda name, threshold: kind(average, threshold, name=name)


for _kind in (Precision, Recall, F1):
    for _average in AVERAGES:
        _name = _kind.figure if _average == "binary" else f"{_kind.figure}_{_average}"
        NAMES[_name] = _counts(_kind, _average)


def metric(value: Any, threshold: float | None = None) -> Metric:
    """A metric, or one by name, or the mean of a function of (output, target).

    threshold: of a loss of one output for each target, above which the target is 1: of metrics by
    name, and "accuracy" is that of single outputs then; None for other losses.

    Raises ValueError for an unknown name, with those that are known; TypeError for anything else.

    >>> metric("f1_macro"), metric("top5"), metric("accuracy", threshold=0.5)
    (F1('f1_macro'), TopK('top5'), BinaryAccuracy('accuracy'))
    >>> metric("acuracy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: no metric is named 'acuracy', perhaps 'accuracy'? There are acc, accuracy, ...
    """
    if isinstance(value, Metric):
        return value
    if isinstance(value, str):
        return _by_name(value, threshold)
    if isinstance(value, type) and issubclass(value, Metric):
        raise TypeError(f"a metric is the class {value.__name__}, expected an instance: write "
                        f"{value.__name__}()")
    if callable(value):
        return Mean(value)
    raise TypeError("a metric must be a name such as 'accuracy', one of fastnn.metrics, or a "
                    f"function of (output, target), got {value!r:.60} ({type(value).__name__})")


def _by_name(name: str, threshold: float | None) -> Metric:
    if threshold is not None and name in ("accuracy", "acc"):
        return BinaryAccuracy(threshold, name)
    if name in NAMES:
        return NAMES[name](name, threshold or 0.0)
    best = re.fullmatch(r"top_?([1-9][0-9]*)(_accuracy)?", name)
    if best:
        return TopK(int(best[1]), name)
    near = get_close_matches(name, [*NAMES, "top5"], 1)
    hint = f", perhaps {near[0]!r}? There" if near else "; there"
    raise ValueError(f"no metric is named {name!r}{hint} are {', '.join(sorted(NAMES))} and "
                     "top1, top2, ...")
