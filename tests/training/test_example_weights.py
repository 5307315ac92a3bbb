"""Weights of samples and classes: losses, gradients and metrics are those of the formula."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches
from fastnn.training.example_weights import ClassWeights
from fastnn.training.weighed_loss import WeighedLoss

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4)).astype(np.float32)
Y = np.where(RNG.random(12) < 0.25, -100, RNG.integers(0, 3, 12))
W = np.where(RNG.random(12) < 0.2, 0.0, RNG.random(12) + 0.1)
REAL = RNG.standard_normal((12, 3)).astype(np.float32)
CLASS = np.array([0.5, 2.0, 1.0], np.float32)


def trainer(loss: Any, lr: float = 0.5, **options: Any) -> fn.Trainer:
    fn.manual_seed(1)
    model = nn.Linear(4, 3)
    return fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=lr), **options)


def rows(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-log softmax(z) at the classes, 0 where they do not count, in float64."""
    z = z.astype(np.float64)
    chances = z - np.log(np.exp(z).sum(1, keepdims=True))
    return np.where(y == -100, 0.0, -chances[np.arange(len(y)), np.maximum(y, 0)])


def class_of(y: np.ndarray) -> np.ndarray:
    return np.where(y == -100, 0.0, CLASS[np.maximum(y, 0)])


# name -> (loss, targets, weighted mean of the outputs)
CASES: dict[str, tuple[Any, np.ndarray, Any]] = {
    "cross-entropy": (nn.CrossEntropyLoss(), Y, lambda z, w: np.average(
        rows(z, Y), weights=w * (Y != -100))),
    "class weights": (nn.CrossEntropyLoss(CLASS), Y, lambda z, w: np.average(
        rows(z, Y), weights=w * class_of(Y))),
    "function": (fn.cross_entropy, Y, lambda z, w: np.average(
        rows(z, Y), weights=w * (Y != -100))),
    "function, class weights": (partial(fn.cross_entropy, weight=CLASS), Y, lambda z, w: np.average(
        rows(z, Y), weights=w * class_of(Y))),
    "sum": (nn.CrossEntropyLoss(reduction="sum"), Y, lambda z, w: (w * rows(z, Y)).sum()),
    "mse": (nn.MSELoss(), REAL, lambda z, w: np.average(((z - REAL) ** 2).mean(1), weights=w)),
    "mae": (nn.L1Loss(), REAL, lambda z, w: np.average(np.abs(z - REAL).mean(1), weights=w)),
    "huber": (nn.HuberLoss(delta=100.0), REAL, lambda z, w: np.average(
        ((z - REAL) ** 2).mean(1) / 2, weights=w)),
    "batchmean": (nn.KLDivLoss(reduction="batchmean", log_target=True), REAL, lambda z, w:
                  np.average((np.exp(REAL) * (REAL - z)).sum(1), weights=w)),
}


@pytest.mark.parametrize("size", [1, 5, 12])
@pytest.mark.parametrize("name", CASES)
def test_an_evaluation_is_the_weighted_mean_at_every_batch_size(name: str, size: int) -> None:
    loss, y, twin = CASES[name]
    made = trainer(loss)
    expected = twin(made.model(X).astype(np.float64), W)
    for values in (made.evaluate((X, y, W), size), made.evaluate((X, y), size, sample_weight=W),
                   made.evaluate([(X[i:i + size], y[i:i + size], W[i:i + size])
                                  for i in range(0, 12, size)])):
        assert values["loss"] == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_step_follows_the_weighted_gradient(name: str, accumulate: int) -> None:
    """As by a step with weights in the loss, written out by hand."""
    loss, y, twin = CASES[name]
    made = trainer(loss, accumulate=accumulate)
    record = made.fit((X, y, W), epochs=1, batch_size=12, shuffle=False)[0]

    probe, h = trainer(loss).model, 1e-3
    before = probe.weight.data.copy()
    assert record["loss"] == pytest.approx(twin(probe(X).astype(np.float64), W), rel=2e-6)
    bias = probe.bias.data.astype(np.float64)
    for place in ((0, 0), (2, 3)):
        values = []
        for sign in (1, -1):
            moved = before.astype(np.float64)
            moved[place] += sign * h
            values.append(twin(X.astype(np.float64) @ moved.T + bias, W))
        gradient = (values[0] - values[1]) / (2 * h)
        moved_by = (before - made.model.weight.data)[place] / 0.5
        assert moved_by == pytest.approx(gradient, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("given", [CLASS, {0: 0.5, 1: 2.0}, {0: 0.5, 1: 2, 2: 1.0, 9: 3.0}])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_class_weights_are_those_of_the_loss(given: Any, accumulate: int) -> None:
    by_fit = trainer(nn.CrossEntropyLoss(), accumulate=accumulate)
    by_loss = trainer(nn.CrossEntropyLoss(CLASS), accumulate=accumulate)
    first = by_fit.fit((X, Y), (X, Y), 2, 5, class_weight=given)
    second = by_loss.fit((X, Y), epochs=2, batch_size=5)
    for one, other in zip(first, second, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["accuracy"] == other["accuracy"]
    np.testing.assert_allclose(by_fit.model.weight.data, by_loss.model.weight.data, rtol=1e-5,
                               atol=1e-6)
    plain = trainer(nn.CrossEntropyLoss(), 0.0)
    plain.model.load_state_dict(by_fit.model.state_dict())
    expected = plain.evaluate((X, Y), 5)["loss"]  # without class weights
    assert first[-1]["validation_loss"] == pytest.approx(expected, rel=1e-6)


def test_balanced_weights_are_scikit_learns() -> None:
    utils = pytest.importorskip("sklearn.utils")
    y = np.array([0, 0, 0, 3, 3, 1, -100])
    expected = utils.compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=y[:-1])
    weights = ClassWeights("balanced", y)
    np.testing.assert_allclose(weights.of(np.array([0, 1, 3])), expected)
    made = trainer(nn.CrossEntropyLoss(), 0.0)
    for data in ((X, Y), Batches(X, Y, 5)):
        counts = np.bincount(Y[Y != -100])
        balanced = (Y != -100).sum() / (3 * counts)
        z = made.model(X)
        record = made.fit(data, epochs=1, class_weight="balanced")[0]
        expected = np.average(rows(z, Y), weights=balanced[np.maximum(Y, 0)] * (Y != -100))
        assert record["loss"] == pytest.approx(expected, rel=2e-6)


def test_class_and_sample_weights_multiply_and_metrics_weigh_samples() -> None:
    made = trainer(nn.CrossEntropyLoss(), 0.0, metrics=["accuracy", "f1_macro"])
    z = made.model(X)
    (record,) = made.fit((X, Y), epochs=1, batch_size=5, sample_weight=W, class_weight=CLASS)
    assert record["loss"] == pytest.approx(np.average(rows(z, Y), weights=W * class_of(Y)),
                                           rel=2e-6)
    right = z.argmax(1) == Y
    assert record["accuracy"] == pytest.approx(np.average(right, weights=W * (Y != -100)))
    assert made.evaluate((X, Y, W))["f1_macro"] == pytest.approx(record["f1_macro"])


def test_positions_weigh_by_their_classes_and_examples() -> None:
    fn.manual_seed(0)
    model = nn.Conv2d(2, 3, 1)
    x = RNG.standard_normal((4, 2, 3, 5)).astype(np.float32)
    y = RNG.integers(0, 3, (4, 3, 5))
    y[0] = -100
    made = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.0))
    z = np.moveaxis(model(x), 1, -1).reshape(-1, 3)
    weights = class_of(y) * np.arange(1.0, 5)[:, None, None]
    (record,) = made.fit((x, y), epochs=1, batch_size=3, class_weight=CLASS,
                         sample_weight=np.arange(1, 5))
    assert record["loss"] == pytest.approx(
        np.average(rows(z, y.ravel()), weights=weights.ravel()), rel=2e-6)


def test_two_sides_of_one_output() -> None:
    fn.manual_seed(0)
    model = nn.Linear(4, 1)
    y = (RNG.random((12, 1)) < 0.3).astype(np.float32)
    made = fn.Trainer(model, "bce_with_logits", optim.SGD(model.parameters(), lr=0.0),
                      metrics=["accuracy", "f1"])
    z = model(X).astype(np.float64)
    losses = np.log1p(np.exp(z)) - y * z
    (record,) = made.fit((X, y), epochs=1, batch_size=5, class_weight={1: 3.0})
    assert record["loss"] == pytest.approx(np.average(losses, weights=1 + 2 * y), rel=2e-6)
    assert record["accuracy"] == ((z > 0) == y).mean()


def test_a_batch_that_weighs_nothing_makes_no_step() -> None:
    made = trainer(nn.CrossEntropyLoss(), 0.5)
    before = made.model.weight.data.copy()
    record = made.fit([(X, Y, np.zeros(12))], epochs=1)[0]
    assert np.array_equal(made.model.weight.data, before)
    assert made.steps == 1 and made.batch_loss is None and "loss" not in record


def test_weights_of_one_are_no_weights() -> None:
    plain, weighed = trainer(nn.CrossEntropyLoss()), trainer(nn.CrossEntropyLoss())
    plain.fit((X, Y), epochs=2, batch_size=5)
    weighed.fit((X, Y, np.ones(12)), epochs=2, batch_size=5)
    np.testing.assert_allclose(weighed.model.weight.data, plain.model.weight.data, rtol=1e-5)
    again = weighed.fit((X, Y), epochs=1, batch_size=5)  # without weights after that
    assert again[0]["loss"] > 0


class Masked(nn.Module):
    """Squares of what a mask in the target leaves, divided by its sum."""

    reduction = "mean"

    def forward(self, output: Any, target: Any) -> Any:
        losses = target[:, 3:] * fn.square(output - target[:, :3])
        return losses if self.reduction == "none" else losses.sum() / self.count(target)

    def count(self, target: Any) -> Any:
        return target[:, 3:].sum()


def test_a_loss_of_ones_own_counts_its_way() -> None:
    mask = (RNG.random((12, 3)) < 0.6).astype(np.float32)
    target = np.concatenate([REAL, mask], 1)
    made = trainer(Masked(), 0.0)
    z = made.model(X).astype(np.float64)
    weights = W[:, None] * mask
    assert made.evaluate((X, target, W), 5)["loss"] == pytest.approx(
        np.average((z - REAL) ** 2, weights=weights), rel=2e-6)


def whole(output: Any, target: Any) -> Any:
    return fn.square(output - target).mean()


@pytest.mark.parametrize(("loss", "data", "options", "error", "message"), [
    (whole, (X, REAL, W), {}, TypeError, "examples cannot be weighed with the loss whole"),
    ("mse", (X, REAL, W[:5]), {}, ValueError, "one weight for each of 12 examples, got shape"),
    ("mse", (X, REAL, -W), {}, ValueError, "finite numbers from 0 on"),
    ("mse", (X, REAL), {"sample_weight": ["a"] * 12}, TypeError, "sample_weight must be numbers"),
    ("mse", [(X, REAL)], {"sample_weight": W}, TypeError, "sample_weight is for arrays"),
    ("mse", [(X, REAL, W[1:])], {}, ValueError, "batch 1: the weights must have one weight"),
    ("mse", (X, REAL), {"class_weight": CLASS}, TypeError, "class_weight needs class numbers"),
    ("cross_entropy", [(X, Y)], {"class_weight": "balanced"}, TypeError, "all examples: arrays"),
    ("cross_entropy", (X, Y), {"class_weight": CLASS[:2]}, ValueError, "has 2 weights, a target"),
    ("cross_entropy", (X, Y), {"class_weight": "equal"}, ValueError, "got 'equal'"),
    ("cross_entropy", (X, Y), {"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] must"),
    ("cross_entropy", (X, Y), {"class_weight": np.ones((2, 2))}, TypeError, "one number for each"),
])
def test_what_cannot_be_weighed_is_said_before_anything_changes(
    loss: Any, data: Any, options: Any, error: type[Exception], message: str
) -> None:
    made = trainer(loss)
    before = made.model.weight.data.copy()
    with pytest.raises(error, match=message):
        made.fit(data, epochs=1, **options)
    assert np.array_equal(made.model.weight.data, before) and made.steps == 0


def test_a_loss_that_stays_a_number_cannot_be_weighed() -> None:
    class Stubborn(nn.Module):
        reduction = "mean"

        def forward(self, output: Any, target: Any) -> Any:
            return fn.square(output - target).mean()

    with pytest.raises(fn.ShapeError, match=r"with reduction='none' it has shape \(\)"):
        trainer(Stubborn()).fit((X, REAL, W), epochs=1)
    assert WeighedLoss(nn.MSELoss()).normalized(REAL, np.zeros(12))[1] == 0.0


def test_budgets_do_not_change_a_weighed_run() -> None:
    runs = []
    for budget in (None, "2GiB"):
        made = trainer("cross_entropy", memory_budget=budget, metrics=["accuracy", "f1_macro"])
        made.fit((X, Y, W), (X, Y, W), 2, 5, class_weight=CLASS)
        runs.append((made.model.weight.data.tobytes(), [
            {**record, "seconds": 0} for record in made.history]))
    assert runs[0] == runs[1]
