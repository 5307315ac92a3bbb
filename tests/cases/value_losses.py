"""Losses of real numbers, of two classes, of distributions and of distances."""

import warnings

import numpy as np
from scipy import special
from scipy.stats import norm

import fastnn as fn
from tests.cases.case import Case, between, few

SIGNS = np.array([1, -1, -1, 1, 1, -1])
RNG = np.random.default_rng(5)
WEIGHT = RNG.uniform(0.5, 2, (6, 7)).astype(np.float32)
CLASS_WEIGHT = WEIGHT[0]


def _reduced(losses, reduction):
    losses = np.asarray(losses)
    return losses if reduction == "none" else losses.sum() / (
        losses.size if reduction == "mean" else 1)


def _silently(function):
    """A function that warns of shapes that broadcast."""
    def call(*inputs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*inputs)
    return call


def _case(loss, name, twin, *inputs, reduction="mean", differentiable=None, **arguments):
    return Case(f"{loss} {name}".strip(),
                _silently(lambda *x: getattr(fn, loss)(*x, reduction=reduction, **arguments)),
                lambda *x: _reduced(twin(*x, **arguments), reduction), inputs, differentiable)


def _every_reduction(loss, twin, *inputs, **arguments):
    return [_case(loss, reduction, twin, *inputs, reduction=reduction, **arguments)
            for reduction in ("mean", "sum", "none")]


def _huber(x, y, delta=1.0):
    d = np.abs(x - y)
    return np.where(d < delta, d**2 / 2, delta * (d - delta / 2))


def _bce(x, y, weight=1.0):
    return -weight * (special.xlogy(y, x) + special.xlog1py(1 - y, -x))


def _bce_logits(x, y, weight=1.0, pos_weight=1.0):
    return weight * (pos_weight * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x))


def _kl(x, y, log_target=False):
    return np.exp(y) * (y - x) if log_target else special.xlogy(y, y) - y * x


def _gaussian(x, y, var, full=False, eps=1e-6):
    var = var[..., None] if np.ndim(var) < x.ndim and np.ndim(var) else var
    losses = -norm.logpdf(y, x, np.sqrt(np.maximum(var, eps)))
    return losses if full else losses - np.log(2 * np.pi) / 2


def _poisson(x, y, log_input=True, full=False, eps=1e-8):
    losses = np.exp(x) - y * x if log_input else x - y * np.log(x + eps)
    many = np.maximum(y, 1)
    return losses + full * (y > 1) * (many * np.log(many) - many + np.log(2 * np.pi * many) / 2)


def _hinge(x, y, margin=1.0):
    return np.where(y == 1, x, np.maximum(0, margin - x))


def _ranking(a, b, y, margin=0.0):
    return np.maximum(0, margin - y * (a - b))


def _cosine(a, b, y, margin=0.0):
    cosine = (a * b).sum(-1) / np.sqrt(((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12))
    return np.where(y == 1, 1 - cosine, np.maximum(0, cosine - margin))


def _triplet(a, p, n, margin=1.0, norm_p=2.0, eps=1e-6, swap=False):
    def distance(x, y):
        return (np.abs(x - y + eps) ** norm_p).sum(-1) ** (1 / norm_p)

    far = np.minimum(distance(a, n), distance(p, n)) if swap else distance(a, n)
    return np.maximum(0, margin + distance(a, p) - far)


def _triplet_case(name, shape, **arguments):
    ours = {"p" if key == "norm_p" else key: value for key, value in arguments.items()}
    return Case(f"triplet_margin_loss {name}",
                lambda *x: fn.triplet_margin_loss(*x, **ours),
                lambda *x: _triplet(*x, **arguments).mean(), (shape,) * 3)


PAIR = (6, 7)
CHANCE, SOFT = between(0.02, 0.98, 6, 7), between(0, 1, 6, 7)

CASES = [
    *_every_reduction("l1_loss", lambda x, y: np.abs(x - y), PAIR, PAIR),
    *_every_reduction("smooth_l1_loss", lambda x, y, beta: _huber(x, y, beta) / beta, PAIR, PAIR,
                      beta=0.7),
    *_every_reduction("huber_loss", _huber, PAIR, PAIR, delta=0.7),
    _case("smooth_l1_loss", "beta 0", lambda x, y, beta: np.abs(x - y), PAIR, PAIR, beta=0),
    _case("huber_loss", "weights", lambda x, y, weight: weight * _huber(x, y), PAIR, PAIR,
          weight=WEIGHT),
    _case("mse_loss", "broadcast", lambda x, y: (x - y) ** 2, (2, 3, 4, 5), (3, 1, 5)),
    _case("l1_loss", "broadcast", lambda x, y: np.abs(x - y), (1, 5), (3, 1)),
    *(Case(f"mse_loss weights {reduction}",
           lambda x, y, w, r=reduction: fn.mse_loss(x, y, reduction=r, weight=w),
           lambda x, y, w, r=reduction: (
               w * (x - y) ** 2 if r == "none" else
               (w * (x - y) ** 2).sum() / (w.sum() if r == "mean" else 1)),
           (PAIR, PAIR, between(0.5, 2, 6, 7))) for reduction in ("mean", "sum", "none")),
    *_every_reduction("binary_cross_entropy", _bce, CHANCE, SOFT),
    _case("binary_cross_entropy", "weights, images", _bce, between(0.02, 0.98, 2, 3, 4, 5),
          between(0, 1, 2, 3, 4, 5), weight=WEIGHT[0, :5]),
    *_every_reduction("binary_cross_entropy_with_logits", _bce_logits, PAIR, SOFT),
    _case("binary_cross_entropy_with_logits", "weights", _bce_logits, PAIR, SOFT, weight=WEIGHT,
          pos_weight=CLASS_WEIGHT),
    _case("soft_margin_loss", "", lambda x, y: np.logaddexp(0, -x * y), PAIR,
          np.resize(SIGNS, PAIR), differentiable=(0,)),
    *(_case("multilabel_soft_margin_loss", reduction, lambda x, y, weight: _bce_logits(
        x, y, weight).mean(-1), PAIR, SOFT, reduction=reduction, weight=CLASS_WEIGHT)
      for reduction in ("mean", "none")),
    *_every_reduction("kl_div", _kl, PAIR, SOFT),
    _case("kl_div", "logarithms", _kl, PAIR, PAIR, log_target=True),
    Case("kl_div of zeros", lambda x, y: fn.kl_div(x, y, reduction="batchmean"),
         lambda x, y: _kl(x, y).sum() / 6, (PAIR, np.resize(np.float32([0, 0.5, 1]), PAIR)), (0,)),
    *(_case("gaussian_nll_loss", f"{name}", _gaussian, PAIR, PAIR, between(0.3, 2, *shape), **more)
      for name, shape, more in [("", PAIR, {}), ("full", PAIR, {"full": True}), ("rows", (6,), {}),
                                ("column", (6, 1), {"reduction": "sum"}), ("one", (), {})]),
    _case("gaussian_nll_loss", "least variance", lambda x, y, var, eps: _gaussian(
        x, y, var, eps=eps), PAIR, PAIR, between(0, 1e-3, 6, 7), eps=0.5, differentiable=(0, 1)),
    _case("poisson_nll_loss", "", _poisson, PAIR, between(0, 4, 6, 7)),
    _case("poisson_nll_loss", "full", _poisson, PAIR, between(1.1, 4, 6, 7), full=True),
    _case("poisson_nll_loss", "small counts", _poisson, PAIR, between(0, 0.9, 6, 7), full=True),
    _case("poisson_nll_loss", "rates", _poisson, between(0.1, 3, 6, 7), between(0, 4, 6, 7),
          log_input=False, reduction="sum"),
    *_every_reduction("hinge_embedding_loss", _hinge, (6,), SIGNS, margin=0.7),
    *_every_reduction("margin_ranking_loss", _ranking, (6,), (6,), SIGNS, margin=0.3),
    _case("margin_ranking_loss", "broadcast", _ranking, (6, 1), (1, 4), SIGNS[:, None]),
    *_every_reduction("cosine_embedding_loss", _cosine, PAIR, PAIR, SIGNS, margin=0.1),
    _case("cosine_embedding_loss", "of one", _cosine, (7,), (7,), np.array(-1)),
    _triplet_case("", PAIR),
    _triplet_case("swap", PAIR, swap=True, margin=2.0),
    _triplet_case("p 1", (4, 3, 5), norm_p=1.0),
    _triplet_case("p 3", PAIR, norm_p=3.0, eps=1e-3),
    Case("triplet_margin_loss at zero", lambda a, p, n: fn.triplet_margin_loss(a, p, n, eps=0),
         lambda a, p, n: _triplet(a, p, n, eps=0).mean(),
         (np.ones(PAIR, np.float32), np.ones(PAIR, np.float32), few(6, 7)),
         gradient=lambda dy, a, p, n: _zero_triplet(dy, a, n)),
    Case("triplet_margin_with_distance_loss",
         lambda *x: fn.triplet_margin_with_distance_loss(
             *x, distance_function=lambda a, b: ((a - b) ** 2).mean(-1), swap=True),
         lambda a, p, n: np.maximum(0, 1 + ((a - p) ** 2).mean(-1) - np.minimum(
             ((a - n) ** 2).mean(-1), ((p - n) ** 2).mean(-1))).mean(), (PAIR,) * 3),
    Case("triplet_margin_with_distance_loss, lengths", fn.triplet_margin_with_distance_loss,
         lambda *x: _triplet(*x).mean(), (PAIR,) * 3),
]


def _zero_triplet(dy, a, n):
    """The distance of anchor and positive is 0, and so is its gradient."""
    far = np.sqrt(((a - n) ** 2).sum(-1, keepdims=True))
    slope = np.where(1 - far >= 0, (a - n) / np.where(far > 0, far, 1), 0) / len(a) * dy
    return -slope, np.zeros_like(a), slope
