"""Losses of class numbers and of probabilities of classes, of any rank."""

import numpy as np
from scipy import special

import fastnn as fn
from tests.cases.case import Case, between, classes
from tests.cases.losses import SOME_IGNORED, WEIGHT, _cross_entropy


def _reduced(losses, reduction, divisor=None):
    if reduction == "none":
        return losses
    total = losses.sum()
    return total / (losses.size if divisor is None else divisor) if reduction == "mean" else total


def _nll(x, target, weight=None, ignore_index=-100, reduction="mean"):
    if x.ndim == 1:
        one = _nll(x[None], target[None], weight, ignore_index, reduction)
        return one[0] if reduction == "none" else one
    weight = np.ones(x.shape[1]) if weight is None else weight
    losses, weights = np.zeros(target.shape), np.zeros(target.shape)
    for place in np.ndindex(*target.shape):
        label = int(target[place])
        if label != ignore_index:
            weights[place] = weight[label]
            losses[place] = -weight[label] * x[(place[0], label, *place[1:])]
    return _reduced(losses, reduction, weights.sum())


def _any_rank(x, target, **arguments):
    if x.ndim == 1:
        one = _cross_entropy(x[None], target[None], **arguments)
        return np.reshape(one, ())
    return _cross_entropy(x, target, **arguments)


def _of_probabilities(x, target, weight=None, reduction="mean", label_smoothing=0.0):
    axis = min(x.ndim - 1, 1)
    target = target * (1 - label_smoothing) + label_smoothing / x.shape[axis]
    weight = np.ones(x.shape[axis]) if weight is None else weight
    weights = weight.reshape(-1, *[1] * (x.ndim - 1 - axis))
    losses = -(target * weights * special.log_softmax(x, axis=axis)).sum(axis)
    return _reduced(np.asarray(losses), reduction)


def _multi_margin(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    rows, labels = np.atleast_2d(x), np.atleast_1d(target)
    losses = np.zeros(len(rows))
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        others = np.delete(np.maximum(margin - row[label] + row, 0) ** p, label)
        losses[i] = others.sum() / row.size * (1 if weight is None else weight[label])
    return _reduced(losses.reshape(np.shape(target)), reduction)


def _multilabel_margin(x, target, reduction="mean"):
    rows, labels = np.atleast_2d(x), np.atleast_2d(target)
    losses = np.zeros(len(rows))
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        own = [int(number) for number in label]
        own = own[:own.index(-1)] if -1 in own else own
        others = np.delete(row, own)
        losses[i] = sum(np.maximum(1 - row[t] + others, 0).sum() for t in own) / row.size
    return _reduced(losses.reshape(x.shape[:-1]), reduction)


def _case(loss, twin, name, x, target, **arguments):
    return Case(f"{loss} {name}", lambda x, t: getattr(fn, loss)(x, t, **arguments),
                lambda x, t: np.asarray(twin(x, t, **arguments)), (x, target))


SHAPES = [(5,), (7, 5), (3, 5, 2), (2, 5, 3, 4), (2, 5, 3, 2, 2)]


def _labels(shape, count=5):
    return classes(count, *shape[:1], *shape[2:]) if len(shape) > 1 else np.array(3)


LABELS = np.array([[3, 0, -1, 2, 1], [-1, 0, 1, 2, 3], [4, 3, 2, 1, 0], [1, 1, 2, -1, -1]])

CASES = [
    *(_case("nll_loss", _nll, f"{reduction} {shape}", shape, _labels(shape), reduction=reduction)
      for shape in SHAPES for reduction in ("mean", "none")),
    _case("nll_loss", _nll, "sum, weights", (7, 5), _labels((7, 5)), reduction="sum",
          weight=WEIGHT),
    _case("nll_loss", _nll, "weights, ignored", (7, 5), SOME_IGNORED, weight=WEIGHT),
    _case("nll_loss", _nll, "images, weights, none", (2, 5, 3, 4), _labels((2, 5, 3, 4)),
          weight=WEIGHT, reduction="none", ignore_index=2),
    *(_case("cross_entropy", _any_rank, f"of rank {len(shape)}, {reduction}", shape,
            _labels(shape), reduction=reduction, label_smoothing=0.1)
      for shape in [(5,), (3, 5, 2), (2, 5, 3, 2, 2)] for reduction in ("mean", "none")),
    *(_case("cross_entropy", _of_probabilities, f"of probabilities {shape} {reduction}", shape,
            between(0, 1, *shape), reduction=reduction, weight=WEIGHT, label_smoothing=smoothing)
      for shape, reduction, smoothing in zip(
          SHAPES, ("mean", "none", "sum", "mean", "none"), (0.1, 0, 0.3, 0, 0), strict=True)),
    *(_case("multi_margin_loss", _multi_margin, f"{name}", (7, 5), classes(5, 7), **arguments)
      for name, arguments in [
          ("mean", {}), ("squares", {"p": 2, "margin": 0.5}),
          ("weights, none", {"weight": WEIGHT, "reduction": "none"}),
          ("squares, weights, sum", {"p": 2, "weight": WEIGHT, "reduction": "sum"})]),
    _case("multi_margin_loss", _multi_margin, "of one example", (5,), np.array(2)),
    *(_case("multilabel_margin_loss", _multilabel_margin, reduction, (4, 5), LABELS,
            reduction=reduction) for reduction in ("mean", "sum", "none")),
    _case("multilabel_margin_loss", _multilabel_margin, "of one example", (5,), LABELS[0]),
]
