"""Metrics: figures of outputs and targets that are exact over batches, whatever their sizes.

A `Trainer` takes them by name or as objects; a loop of one's own calls `update`, then `value`.

>>> import numpy as np
>>> accuracy, f1 = Accuracy(), F1(average="macro")
>>> for output, target in ((np.eye(3), np.arange(3)), (np.eye(3)[:1], np.array([2]))):
...     accuracy.update(output, target)
...     f1.update(output, target)
>>> accuracy.value(), round(f1.value(), 4)
(0.75, 0.7778)
"""

from fastnn.metrics.accuracy import Accuracy, BinaryAccuracy, TopK
from fastnn.metrics.calibration import CalibrationError, Reliability, reliability
from fastnn.metrics.class_report import ClassReport, ClassRow, class_report
from fastnn.metrics.counts import F1, ConfusionMatrix, Precision, Recall
from fastnn.metrics.metric import Mean, Metric
from fastnn.metrics.names import metric
from fastnn.metrics.probability import Brier, Margin, NegativeLogLikelihood, margins
from fastnn.metrics.regression import R2, MeanAbsoluteError, MeanSquaredError
from fastnn.metrics.roc_auc import ROCAUC

__all__ = [
    "F1", "R2", "ROCAUC", "Accuracy", "BinaryAccuracy", "Brier", "CalibrationError",
    "ClassReport", "ClassRow", "ConfusionMatrix", "Margin", "Mean", "MeanAbsoluteError",
    "MeanSquaredError", "Metric", "NegativeLogLikelihood", "Precision", "Recall", "Reliability",
    "TopK", "class_report", "margins", "metric", "reliability",
]
