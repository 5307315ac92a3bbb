"""Softmax and losses."""

import numpy as np
from scipy import special

import fastnn as fn
from tests.cases.case import Case, classes


def _cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean",
                   label_smoothing=0.0):
    count = x.shape[1]
    weight = np.ones(count) if weight is None else weight
    log_p = np.moveaxis(special.log_softmax(x, axis=1), 1, -1)
    losses, weights = np.zeros(target.shape), np.zeros(target.shape)
    for place in np.ndindex(*target.shape):
        label = int(target[place])
        if label != ignore_index:
            wanted = np.full(count, label_smoothing / count) * weight
            wanted[label] += (1 - label_smoothing) * weight[label]
            losses[place], weights[place] = -(wanted * log_p[place]).sum(), weight[label]
    if reduction == "none":
        return losses
    return losses.sum() / (weights.sum() if reduction == "mean" else 1.0)


def _cross_entropy_gradient(dy, x, target, weight=None, ignore_index=-100, reduction="mean",
                            label_smoothing=0.0):
    """The formula: finite differences say nothing of large logits."""
    count = x.shape[1]
    weight = np.ones(count) if weight is None else weight.astype(np.float64)
    chance = np.moveaxis(special.softmax(x, axis=1), 1, -1)
    gradient, total = np.zeros_like(chance), 0.0
    for place in np.ndindex(*target.shape):
        label = int(target[place])
        if label != ignore_index:
            wanted = np.full(count, label_smoothing / count) * weight
            wanted[label] += (1 - label_smoothing) * weight[label]
            gradient[place] = chance[place] * wanted.sum() - wanted
            total += weight[label]
    gain = dy[..., None] if reduction == "none" else dy
    return (np.moveaxis(gradient * gain / (total if reduction == "mean" else 1), -1, 1),)


def _softmax_gradient(dy, x):
    y = special.softmax(x, axis=1)
    return (y * (dy - (dy * y).sum(1, keepdims=True)),)


WEIGHT = np.array([0.5, 2.0, 1.0, 0.25, 1.5], np.float32)


def _case(name, x=(7, 5), target=None, **arguments):
    target = classes(x[1], x[0], *x[2:]) if target is None else target
    return Case(f"cross_entropy {name}", lambda x, t: fn.cross_entropy(x, t, **arguments),
                lambda x, t: _cross_entropy(x, t, **arguments), (x, target))


def _large(shape, *offsets):
    """Logits about offsets, one for each example, a few units in the last place apart."""
    centre = np.resize(np.float32(offsets), shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
    steps = np.random.default_rng(len(shape)).integers(-4, 5, shape) * np.float32(0.5)
    return centre + steps * np.maximum(np.spacing(np.abs(centre)), 1)


def _large_case(name, x, target=None, **arguments):
    target = classes(x.shape[1], x.shape[0], *x.shape[2:]) if target is None else target
    return Case(f"cross_entropy of large logits, {name}",
                lambda x, t: fn.cross_entropy(x, t, **arguments),
                lambda x, t: _cross_entropy(x, t, **arguments), (x, target),
                gradient=lambda dy, x, t: _cross_entropy_gradient(dy, x, t, **arguments))


SOME_IGNORED = np.array([0, -100, 4, 2, -100, 1, 1])

CASES = [
    *(Case(f"softmax {shape} over {dim}", lambda x, dim=dim: fn.softmax(x, dim),
           lambda x, dim=dim: special.softmax(x, axis=dim), (shape,))
      for shape, dim in [((5, 7), 1), ((5, 17), 0), ((4, 3, 5), -1), ((4, 3, 5), 1), ((9,), 0),
                         ((2, 5, 3, 4), 1), ((2, 5, 3, 4), 3), ((2, 5, 3, 4), 0)]),
    *(Case(f"log_softmax {shape} over {dim}", lambda x, dim=dim: fn.log_softmax(x, dim),
           lambda x, dim=dim: special.log_softmax(x, axis=dim), (shape,))
      for shape, dim in [((5, 7), 1), ((5, 17), 0), ((2, 5, 3, 4), 1), ((2, 5, 3, 4), 2)]),
    Case("softmax of large values", lambda x: fn.softmax(x * 5.0 + 200.0, 1),
         lambda x: special.softmax(x * 5 + 200, axis=1), ((6, 5),), tolerance=1e-4,
         reason="x * 5 + 200 is rounded to 8e-6 before the exponential"),
    _case("mean"),
    _case("sum", reduction="sum"),
    _case("none", reduction="none"),
    _case("of images", (2, 5, 3, 4)),
    _case("of images, none", (2, 5, 3, 4), reduction="none"),
    _case("label smoothing", label_smoothing=0.1),
    _case("label smoothing, sum, 19 classes", (6, 19), label_smoothing=0.3, reduction="sum"),
    _case("class weights", weight=WEIGHT),
    _case("class weights, label smoothing", weight=WEIGHT, label_smoothing=0.2),
    _case("class weights, none", weight=WEIGHT, label_smoothing=0.2, reduction="none"),
    _case("ignore_index", target=SOME_IGNORED),
    _case("ignore_index, weights, smoothing", target=SOME_IGNORED, weight=WEIGHT,
          label_smoothing=0.2),
    _case("ignore_index 1, sum", target=np.array([0, 1, 4, 2, 1, 1, 3]), ignore_index=1,
          reduction="sum"),
    *(_large_case(f"{offset:g}", _large((7, 5), offset)) for offset in (1e5, 1e7, 1e8, -1e8, 3e38)),
    _large_case("mixed", _large((7, 5), 0, 1e5, 1e7, -1e8, 3e38, -1e5), SOME_IGNORED),
    _large_case("images", _large((2, 5, 3, 4), 1e7, 1e8)),
    _large_case("images, none", _large((2, 5, 3, 4), 1e7, -1e8), reduction="none"),
    _large_case("sum, class weights, smoothing", _large((7, 5), 1e7, 1e8, 3.0), SOME_IGNORED,
                weight=WEIGHT, label_smoothing=0.2, reduction="sum"),
    Case("softmax far from zero", lambda x: fn.softmax(x, 1), lambda x: special.softmax(x, axis=1),
         (_large((6, 5), 1e5, 1e7, -1e8, 3e38),), gradient=_softmax_gradient),
    Case("log_softmax far from zero", lambda x: fn.log_softmax(x, 1),
         lambda x: special.log_softmax(x, axis=1), (_large((6, 5), 1e5, 1e7, -1e8, 3e38),),
         gradient=lambda dy, x: (dy - special.softmax(x, axis=1) * dy.sum(1, keepdims=True),)),
    Case("cross_entropy, a column of targets", lambda x, t: fn.cross_entropy(x, t[:, 1]),
         lambda x, t: _cross_entropy(x, t[:, 1]), ((7, 5), classes(5, 7, 3))),
    Case("cross_entropy, targets as images", lambda x, t: fn.cross_entropy(x, t[:, 1]),
         lambda x, t: _cross_entropy(x, t[:, 1]), ((2, 5, 3, 4), classes(5, 2, 2, 3, 4))),
    Case("cross_entropy, targets joined", lambda x, s, t: fn.cross_entropy(
            x, fn.cat([s, t.transpose(0, 1).reshape(-1)])),
         lambda x, s, t: _cross_entropy(x, np.concatenate([s, t.T.reshape(-1)])),
         ((7, 5), classes(5, 3), classes(5, 2, 2))),
    *(Case(f"mse_loss {reduction} {shape}",
           lambda x, y, reduction=reduction: fn.mse_loss(x, y, reduction=reduction),
           lambda x, y, reduction=reduction: {"mean": np.mean, "sum": np.sum, "none": np.array}[
               reduction]((x - y) ** 2), (shape, shape))
      for reduction, shape in [("mean", (6, 7)), ("sum", (2, 3, 4, 5)), ("none", (4, 9))]),
]
