"""Metrics are scikit-learn's, whatever the sizes of batches, with weights and without."""

from typing import Any

import numpy as np
import pytest

from fastnn import metrics
from fastnn.metrics import (
    F1,
    R2,
    ROCAUC,
    Accuracy,
    BinaryAccuracy,
    ConfusionMatrix,
    Mean,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    Precision,
    Recall,
    TopK,
)

SIZES = (1, 3, 7, 40)
RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((40, 4)).astype(np.float32)
CLASSES = np.where(RNG.random(40) < 0.5, LOGITS.argmax(1), RNG.integers(0, 4, 40))
BINARY = RNG.standard_normal(40).astype(np.float32)
SIDES = ((BINARY + RNG.standard_normal(40)) > 0).astype(np.float32)
REAL = RNG.standard_normal((40, 3)).astype(np.float32) + 5
FOUND = (REAL + 0.3 * RNG.standard_normal((40, 3))).astype(np.float32)
WEIGHT = np.where(RNG.random(40) < 0.2, 0.0, RNG.random(40))


def measured(metric: Metric, output: Any, target: Any, size: int, weight: Any = None) -> Any:
    for i in range(0, len(output), size):
        part = None if weight is None else weight[i:i + size]
        metric.update(output[i:i + size], target[i:i + size], part)
        state = metric.state_dict()
        metric.reset()
        metric.load_state_dict(state)
    return metric.value()


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x.astype(np.float64))
    return powers / powers.sum(1, keepdims=True)


def twins() -> dict[str, tuple[Any, Any, Any, Any]]:
    """name -> (metric, output, target, scikit-learn's value by weights)."""
    sk = pytest.importorskip("sklearn.metrics")
    best, sides = LOGITS.argmax(1), BINARY > 0
    found: dict[str, tuple[Any, Any, Any, Any]] = {
        "accuracy": (Accuracy, LOGITS, CLASSES,
                     lambda w: sk.accuracy_score(CLASSES, best, sample_weight=w)),
        "top2": (lambda: TopK(2), LOGITS, CLASSES, lambda w: sk.top_k_accuracy_score(
            CLASSES, LOGITS, k=2, labels=range(4), sample_weight=w)),
        "binary accuracy": (BinaryAccuracy, BINARY[:, None], SIDES,
                            lambda w: sk.accuracy_score(SIDES, sides, sample_weight=w)),
        "accuracy of one output": (Accuracy, BINARY, SIDES.astype(int),
                                   lambda w: sk.accuracy_score(SIDES, sides, sample_weight=w)),
        "confusions": (ConfusionMatrix, LOGITS, CLASSES,
                       lambda w: sk.confusion_matrix(CLASSES, best, sample_weight=w)),
        "rates": (lambda: ConfusionMatrix("true"), LOGITS, CLASSES, lambda w: sk.confusion_matrix(
            CLASSES, best, sample_weight=w, normalize="true")),
        "mae": (MeanAbsoluteError, FOUND, REAL,
                lambda w: sk.mean_absolute_error(REAL, FOUND, sample_weight=w)),
        "mse": (MeanSquaredError, FOUND, REAL,
                lambda w: sk.mean_squared_error(REAL, FOUND, sample_weight=w)),
        "rmse": (lambda: MeanSquaredError(squared=False), FOUND[:, :1], REAL[:, 0],
                 lambda w: sk.mean_squared_error(REAL[:, 0], FOUND[:, 0], sample_weight=w) ** 0.5),
        "r2": (R2, FOUND, REAL, lambda w: sk.r2_score(
            REAL.astype(float), FOUND.astype(float), sample_weight=w)),
        "auc": (ROCAUC, BINARY, SIDES, lambda w: sk.roc_auc_score(SIDES, BINARY, sample_weight=w)),
        "auc of two": (ROCAUC, LOGITS[:, :2], SIDES.astype(int), lambda w: sk.roc_auc_score(
            SIDES, LOGITS[:, 1].astype(float) - LOGITS[:, 0], sample_weight=w)),
        "auc of four": (ROCAUC, LOGITS, CLASSES, lambda w: sk.roc_auc_score(
            CLASSES, softmax(LOGITS), multi_class="ovr", sample_weight=w)),
        "auc, weighted": (lambda: ROCAUC("weighted", from_logits=False), softmax(LOGITS), CLASSES,
                          lambda w: sk.roc_auc_score(CLASSES, softmax(LOGITS), multi_class="ovr",
                                                     average="weighted", sample_weight=w)),
    }
    for kind, twin in ((Precision, sk.precision_score), (Recall, sk.recall_score),
                       (F1, sk.f1_score)):
        for average in ("macro", "micro", "weighted", None):
            found[f"{kind.__name__} {average}"] = (
                lambda kind=kind, average=average: kind(average), LOGITS, CLASSES,
                lambda w, twin=twin, average=average: twin(
                    CLASSES, best, average=average, sample_weight=w, zero_division=0))
        found[f"{kind.__name__} binary"] = (
            kind, BINARY, SIDES, lambda w, twin=twin: twin(SIDES, sides, sample_weight=w))
    return found


NAMES = ["accuracy", "top2", "binary accuracy", "accuracy of one output", "confusions", "rates",
         "mae", "mse", "rmse", "r2", "auc", "auc of two", "auc of four", "auc, weighted",
         *(f"{kind} {average}" for kind in ("Precision", "Recall", "F1")
           for average in ("macro", "micro", "weighted", None, "binary"))]


@pytest.mark.parametrize("weight", [None, WEIGHT, WEIGHT > 0.5], ids=["plain", "weights", "mask"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_values_are_scikit_learns_at_every_batch_size(name: str, size: int, weight: Any) -> None:
    make, output, target, twin = twins()[name]
    value = measured(make(), output, target, size, weight)
    np.testing.assert_allclose(value, twin(None if weight is None else weight * 1.0), rtol=1e-6)
    kind = np.ndarray if name in ("confusions", "rates") or name.endswith("None") else float
    assert isinstance(value, kind)


def test_classes_that_do_not_occur_are_left_out_of_a_macro_average() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    output, target = np.eye(5)[[0, 1, 1, 4]], np.array([0, 1, 2, 0])
    for kind, twin in ((Precision, sk.precision_score), (Recall, sk.recall_score),
                       (F1, sk.f1_score)):
        value = measured(kind("macro"), output, target, 2)
        assert value == pytest.approx(twin(target, output.argmax(1), average="macro",
                                           zero_division=0))
    assert measured(Recall("macro", zero_division=1.0), output, target, 4) == pytest.approx(
        sk.recall_score(target, output.argmax(1), average="macro", zero_division=1.0))


def test_positions_of_pictures_count_each() -> None:
    output = RNG.standard_normal((5, 3, 2, 4))
    target = RNG.integers(0, 3, (5, 2, 4))
    counts, examples = target != 1, np.arange(5.0)
    target = np.where(counts, target, -100)
    right = output.argmax(1) == target
    assert measured(Accuracy(), output, target, 2, counts) == right[counts].mean()
    assert measured(TopK(1), output, target, 2, counts) == right[counts].mean()
    weights = examples[:, None, None] * counts
    expected = (right * weights).sum() / weights.sum()
    assert measured(Accuracy(), output, target, 2, weights) == pytest.approx(expected)
    assert measured(Recall("micro"), output, target, 2, weights) == pytest.approx(expected)


def test_of_equal_outputs_the_first_is_larger() -> None:
    output, target = np.zeros((4, 3)), np.array([0, 1, 2, 0])
    assert [measured(TopK(k), output, target, 2) for k in (1, 2, 3)] == [0.5, 0.75, 1.0]
    assert measured(Accuracy(), output, target, 3) == 0.5


def test_shares_of_classes_as_targets() -> None:
    shares = np.eye(3, dtype=np.float32)[[0, 1, 2]] * 0.8 + np.float32(0.2 / 3)
    assert measured(Accuracy(), np.eye(3), shares, 1) == 1.0
    assert measured(F1("macro"), np.eye(3), shares, 2) == 1.0


@pytest.mark.parametrize(("metric", "output", "target", "message"), [
    (Accuracy(), (4, 3), REAL[:4], r"accuracy needs outputs \(n, classes, ...\) and class numbers"),
    (F1("macro"), (4, 3), REAL[:4], "f1_macro needs outputs .* got outputs .* of float32, from"),
    (F1(), (4, 3), np.arange(4) % 3, "f1: average='binary' is for two classes, the output has 3"),
    (F1(), (4, 1), REAL[:4, 0], "f1 needs outputs"),
    (TopK(5), (4, 3), np.zeros(4, int), "top5 needs 5 classes or more, the output has 3"),
    (TopK(2), (4, 3), REAL[:4], "top2 needs"),
    (ConfusionMatrix(), (4, 3), np.zeros(5, int), "confusion_matrix needs outputs"),
    (BinaryAccuracy(), (4, 3), np.zeros(4, int), "binary_accuracy needs one output for each"),
    (BinaryAccuracy(), (4,), np.arange(4), "needs targets of 0 or 1, got them from 0 to 3"),
    (MeanAbsoluteError(), (4, 3), np.zeros(4), "mae needs one output for each target"),
    (R2(), (4, 3), np.zeros(4, int), "r2 needs one output for each target"),
])
def test_what_does_not_fit_is_said(metric: Metric, output: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric.check(output, target)
    with pytest.raises(ValueError, match=message):
        metric.update(np.zeros(output), target)
    assert metric.value() is None


def test_class_numbers_out_of_range() -> None:
    for metric in (F1("macro"), ConfusionMatrix()):
        with pytest.raises(ValueError, match=r"targets are from 0 to 3, expected 0..2"):
            metric.update(np.zeros((4, 3)), np.arange(4))


def test_means_of_functions() -> None:
    each = Mean(lambda output, target: np.abs(output - target).mean(1), "each")
    assert measured(each, FOUND, REAL, 7, WEIGHT) == pytest.approx(
        np.average(np.abs(FOUND - REAL).mean(1), weights=WEIGHT))
    mean = Mean(lambda output, target: np.abs(output - target).mean(), "mean")
    assert measured(mean, FOUND, REAL, 7) == pytest.approx(np.abs(FOUND - REAL).mean())
    with pytest.raises(TypeError, match="metric bad must return a number, or one for each of 40"):
        Mean(lambda output, target: output, "bad").update(FOUND, REAL)
    with pytest.raises(FloatingPointError, match="the metric nan is nan"):
        Mean(lambda output, target: np.nan, "nan").update(FOUND, REAL)


@pytest.mark.parametrize(("value", "error", "message"), [
    ("f1_marco", ValueError, "no metric is named 'f1_marco', perhaps 'f1_macro'. There are acc"),
    ("qqqq", ValueError, "no metric is named 'qqqq'; there are acc, accuracy"),
    (F1, TypeError, r"is the class F1, expected an instance: write F1\(\)"),
    (3, TypeError, r"must be a name such as 'accuracy'.*got 3 \(int\)"),
    ("", ValueError, "no metric is named ''"),
])
def test_unknown_metrics(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        metrics.metric(value)


@pytest.mark.parametrize("name", [*metrics.names.NAMES, "top3", "top_3_accuracy"])
def test_figures_have_the_name_that_was_asked_for(name: str) -> None:
    if name == "roc_auc":
        pytest.importorskip("sklearn")
    assert metrics.metric(name).name == name


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    accuracy = Accuracy()
    accuracy.update(LOGITS, CLASSES)
    before = accuracy.state_dict()
    for state in ({}, {"right": 1}, {"right": "x", "counted": 1}, {"right": np.inf, "counted": 1}):
        with pytest.raises(ValueError, match="accuracy: "):
            accuracy.load_state_dict(state)
    assert accuracy.state_dict() == before
    matrix = ConfusionMatrix()
    with pytest.raises(ValueError, match="counts is 3, expected an array"):
        matrix.load_state_dict({"counts": 3})


def test_bad_arguments() -> None:
    for make, message in ((lambda: F1("mean"), "average must be one of"),
                          (lambda: TopK(0), "k must be an integer from 1 on"),
                          (lambda: ConfusionMatrix("rows"), "normalize must be one of"),
                          (lambda: F1(zero_division=2), "zero_division must be 0 or 1")):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(ValueError, match=r"weights of shape \(3,\) do not fit targets \(40,\)"):
        Accuracy().update(LOGITS, CLASSES, np.ones(3))
