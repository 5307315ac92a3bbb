"""Random numbers and the dropouts made of them, against Philox written out in Python integers."""

import numpy as np

import fastnn as fn
from fastnn.spec import storage_axes
from tests.cases.case import Case, between
from tests.cases.dropout import SEED
from tests.reference import random as reference

FLOOR = -1.7580993408473766


def _drawn(kind, shape, stream=0):
    """The numbers of a stream, which lie in storage order."""
    axes = storage_axes(len(shape))
    stored = [shape[axis] for axis in axes]
    numbers = getattr(reference, kind)(int(np.prod(stored)), SEED, 0, stream)
    return numbers.reshape(stored).transpose(np.argsort(axes))


def _channels(shape, leading=2):
    return (*shape[:leading], *[1] * (len(shape) - leading))


def _kept(shape, p):
    return _drawn("uniform", shape) >= p


def _alpha(x, p, mask_shape):
    a = ((FLOOR**2 * p + 1) * (1 - p)) ** -0.5
    return a * np.where(_kept(mask_shape, p), x, FLOOR) - a * p * FLOOR


def _by_channel(name, shape, leading=2):
    return Case(f"{name} {shape}", lambda x: getattr(fn, name)(x, 0.4),
                lambda x: x * _kept(_channels(shape, leading), 0.4) / 0.6, (shape,))


NOISE = "cosines and logarithms within units of the last place of 1"

CASES = [
    Case("rand", lambda x: x * fn.rand(7, 23), lambda x: x * _drawn("uniform", (7, 23)),
         ((7, 23),)),
    Case("randn, images", lambda x: x * fn.randn_like(x),
         lambda x: x * _drawn("normal", (2, 3, 5, 7)), ((2, 3, 5, 7),), tolerance=2e-5,
         reason=NOISE),
    Case("two calls draw apart", lambda x: (x + fn.rand_like(x)) * fn.rand(x.shape),
         lambda x: (x + _drawn("uniform", (5, 9))) * _drawn("uniform", (5, 9), 1), ((5, 9),)),
    Case("bernoulli", lambda x, p: x * fn.bernoulli(p),
         lambda x, p: x * (_drawn("uniform", (6, 7)) < p.astype(np.float32)),
         ((6, 7), between(0, 1, 6, 7)), (0,)),
    Case("bernoulli of one p", lambda x: x * fn.bernoulli(x, 0.3),
         lambda x: x * (_drawn("uniform", (6, 7)) < 0.3), ((6, 7),)),
    Case("normal of tensors", lambda x, m, s: x * fn.normal(m, s),
         lambda x, m, s: x * (m + s * _drawn("normal", (6, 7))),
         ((6, 7), (7,), between(0.5, 2, 6, 1)), (0,), tolerance=2e-5, reason=NOISE),
    Case("normal of numbers", lambda x: x * fn.normal(2.0, 0.5, (6, 7)),
         lambda x: x * (2 + 0.5 * _drawn("normal", (6, 7))), ((6, 7),), tolerance=2e-5,
         reason=NOISE),
    _by_channel("dropout1d", (4, 5, 6)),
    _by_channel("dropout1d", (5, 6), 1),
    _by_channel("dropout2d", (4, 5, 3, 2)),
    _by_channel("dropout2d", (4, 5, 6)),
    _by_channel("dropout3d", (4, 5, 3, 2, 2)),
    _by_channel("dropout3d", (5, 3, 2, 2), 1),
    Case("dropout2d 1", lambda x: x + fn.dropout2d(x, 1.0), lambda x: x, ((2, 3, 4, 5),)),
    *(Case(f"stochastic_depth {mode} {shape}",
           lambda x, mode=mode: fn.stochastic_depth(x, 0.4, mode),
           lambda x, draws=draws: x * _kept(draws, 0.4) / 0.6, (shape,))
      for mode, shape, draws in (
          ("row", (9, 3, 4, 5), (9, 1, 1, 1)), ("row", (7, 6), (7, 1)), ("row", (9,), (9,)),
          ("batch", (4, 3, 4, 5), (1, 1, 1, 1)), ("batch", (), ()))),
    Case("stochastic_depth 1", lambda x: x + fn.stochastic_depth(x, 1.0, "row"), lambda x: x,
         ((3, 4),)),
    Case("stochastic_depth, not in training",
         lambda x: fn.stochastic_depth(x, 0.5, "row", training=False) * 1.0, lambda x: x,
         ((3, 4),)),
    Case("alpha_dropout", lambda x: fn.alpha_dropout(x, 0.3, training=True),
         lambda x: _alpha(x, 0.3, x.shape), ((6, 7),)),
    Case("feature_alpha_dropout", lambda x: fn.feature_alpha_dropout(x, 0.3, training=True),
         lambda x: _alpha(x, 0.3, _channels(x.shape)), ((3, 4, 5, 2),)),
    Case("rrelu in training", lambda x: fn.rrelu(x, 0.1, 0.5, training=True),
         lambda x: np.where(x > 0, x, x * (0.1 + 0.4 * _drawn("uniform", x.shape))), ((6, 7),)),
    Case("rrelu", lambda x: fn.rrelu(x, 0.1, 0.5),
         lambda x: np.where(x > 0, x, x * 0.3), ((6, 7),)),
]
