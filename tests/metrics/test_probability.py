"""Margin, likelihood, Brier's score and calibration, against scikit-learn and plain loops."""

from typing import Any

import numpy as np
import pytest

from fastnn import metrics
from fastnn.metrics import Brier, CalibrationError, Margin, NegativeLogLikelihood, Reliability
from tests.metrics.test_metrics import (
    BINARY,
    CLASSES,
    LOGITS,
    SIDES,
    SIZES,
    WEIGHT,
    measured,
    softmax,
)

P = softmax(LOGITS)
SIDE = 1 / (1 + np.exp(-BINARY.astype(np.float64)))
TWO = np.stack([1 - SIDE, SIDE], axis=1)


def errors(chances: np.ndarray, classes: np.ndarray, bins: int, weight: Any) -> list[float]:
    """The shares of bins times the differences in them, by a plain loop."""
    weight = np.ones(len(classes)) if weight is None else weight * 1.0
    found = []
    for i in range(bins):
        inside = [k for k, row in enumerate(chances)
                  if i / bins < row.max() <= (i + 1) / bins and weight[k]]
        if inside:
            own = weight[inside]
            right = chances[inside].argmax(1) == classes[inside]
            gap = np.average(right, weights=own) - np.average(chances[inside].max(1), weights=own)
            found.append(own.sum() / weight.sum() * abs(gap))
    return found


@pytest.mark.parametrize("weight", [None, WEIGHT, WEIGHT > 0.5], ids=["plain", "weights", "mask"])
@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_references_at_every_batch_size(size: int, weight: Any) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    w = None if weight is None else weight * 1.0

    def close(metric: Any, output: Any, target: Any, expected: float) -> None:
        assert measured(metric, output, target, size, weight) == pytest.approx(expected, rel=1e-6)

    close(NegativeLogLikelihood(), LOGITS, CLASSES, sk.log_loss(CLASSES, P, sample_weight=w))
    close(NegativeLogLikelihood(), BINARY, SIDES, sk.log_loss(SIDES, SIDE, sample_weight=w))
    close(Brier(), LOGITS, CLASSES,
          sk.brier_score_loss(CLASSES, P, sample_weight=w, labels=range(4)))
    for scores in (BINARY[:, None], BINARY):
        close(Brier(), scores, SIDES, sk.brier_score_loss(SIDES, SIDE, sample_weight=w))
    close(Brier(from_logits=False), TWO, SIDES.astype(int),
          sk.brier_score_loss(SIDES, SIDE, sample_weight=w))
    others = np.where(np.eye(4, dtype=bool)[CLASSES], -1, P)
    margins = P[np.arange(40), CLASSES] - others.max(1)
    close(Margin(), LOGITS, CLASSES, np.average(margins, weights=w))
    close(Margin(from_logits=False), P, CLASSES, np.average(margins, weights=w))
    close(CalibrationError(), LOGITS, CLASSES, sum(errors(P, CLASSES, 15, weight)))
    close(CalibrationError(7), BINARY, SIDES, sum(errors(TWO, SIDES, 7, weight)))


def test_names_know_whether_outputs_are_logits() -> None:
    for name, kind in (("margin", Margin), ("calibration", CalibrationError),
                       ("ece", CalibrationError), ("brier", Brier),
                       ("nll", NegativeLogLikelihood)):
        for threshold, output in ((None, BINARY), (0.0, BINARY), (0.5, SIDE)):
            named = metrics.metric(name, threshold)
            assert measured(named, output, SIDES, 40) == pytest.approx(
                measured(kind(), BINARY, SIDES, 40), rel=1e-6)


def test_margins_are_above_0_where_predictions_are_right() -> None:
    found = metrics.margins(LOGITS, CLASSES)
    assert found.shape == (40,)
    np.testing.assert_array_equal(found > 0, LOGITS.argmax(1) == CLASSES)


def test_shares_and_positions() -> None:
    shares = np.eye(4)[CLASSES] * 0.8 + 0.05
    assert measured(NegativeLogLikelihood(), LOGITS, shares, 7) == pytest.approx(
        -(shares * np.log(P)).sum(1).mean())
    assert measured(Brier(), LOGITS, shares, 7) == pytest.approx(((P - shares)**2).sum(1).mean())
    picture, places = LOGITS.reshape(10, 2, 2, 4).transpose(0, 3, 1, 2), CLASSES.reshape(10, 2, 2)
    counts = places != 1
    for kind in (Margin, Brier, CalibrationError, NegativeLogLikelihood):
        assert measured(kind(), picture, places, 3, counts) == pytest.approx(
            measured(kind(), LOGITS[CLASSES != 1], CLASSES[CLASSES != 1], 40))


def test_extreme_logits_give_no_nan() -> None:
    output = np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 0.0]], np.float32)
    target = np.array([0, 2])
    assert measured(Margin(), output, target, 1) == 0.0
    assert measured(Brier(), output, target, 1) == 1.0
    assert measured(CalibrationError(), output, target, 1) == 0.5
    assert measured(NegativeLogLikelihood(), output, target, 1) == pytest.approx(5e29)
    assert measured(NegativeLogLikelihood(from_logits=False), np.eye(2), np.array([0, 0]), 2) == (
        pytest.approx(-np.log(np.finfo(float).eps) / 2))


def test_a_reliability_has_the_bins_and_draws_them(tmp_path: Any) -> None:
    found = metrics.reliability(LOGITS, CLASSES, bins=10)
    bins = found.value()
    assert bins.shape == (10, 3)
    assert bins[:, 2].sum() == pytest.approx(1)
    assert np.isnan(bins[:2, :2]).all()  # of four classes the largest has a quarter or more
    filled = bins[:, 2] > 0
    edges = np.arange(11) / 10
    assert (bins[filled, 0] > edges[:-1][filled]).all()
    assert (bins[filled, 0] <= edges[1:][filled]).all()
    accuracy = (LOGITS.argmax(1) == CLASSES).mean()
    assert (bins[:, 2] @ np.nan_to_num(bins[:, 1])) == pytest.approx(accuracy)
    worst = measured(CalibrationError(10, "max"), LOGITS, CLASSES, 40)
    assert worst == pytest.approx(np.nanmax(abs(bins[:, 1] - bins[:, 0])))
    pytest.importorskip("matplotlib")
    figure = found.plot(str(tmp_path / "diagram.png"))
    assert (tmp_path / "diagram.png").stat().st_size > 5_000
    assert "expected calibration error" in figure.axes[0].get_title()


def test_nothing_counted() -> None:
    for kind in (Margin, Brier, CalibrationError, NegativeLogLikelihood, Reliability):
        metric = kind()
        assert metric.value() is None
        metric.update(LOGITS, CLASSES, np.zeros(40))
        assert metric.value() is None
    with pytest.raises(ValueError, match="reliability: nothing was counted"):
        Reliability().plot()


def test_errors() -> None:
    for make, message in (
            (lambda: CalibrationError(0), "bins must be an integer from 1 on"),
            (lambda: CalibrationError(norm="l2"), "norm must be one of"),
            (lambda: Brier().update(LOGITS, np.full(40, 4)), "targets are from 4 to 4"),
            (lambda: Margin().update(LOGITS, LOGITS), "margin needs outputs"),
            (lambda: Margin(from_logits=False).update(LOGITS, CLASSES), "needs probabilities"),
            (lambda: Reliability(5).load_state_dict({"sums": np.zeros((4, 3))}), "expected .5, 3")):
        with pytest.raises(ValueError, match=message):
            make()
