"""Batch normalisation."""

import numpy as np

import fastnn as fn
from tests.cases.case import DEFAULT_TOLERANCE, Case, away_from_zero

CANCELS = "the gradient is a difference of sums over the batch"


def _twin(x, weight=1.0, bias=0.0, mean=None, var=None, eps=1e-5):
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]

    def by_channel(value):
        return np.reshape(np.asarray(value, np.float64) + np.zeros(x.shape[1]), shape)

    mean = x.mean(axes) if mean is None else mean
    var = x.var(axes) if var is None else var
    return ((x - by_channel(mean)) / np.sqrt(by_channel(var) + eps) * by_channel(weight)
            + by_channel(bias))


def _train(shape, tolerance=DEFAULT_TOLERANCE, reason=""):
    channels = shape[1]
    return Case(f"batch_norm train {shape}",
                lambda x, w, b: fn.batch_norm(x, None, None, w, b, training=True), _twin,
                (shape, (channels,), (channels,)), tolerance=tolerance, reason=reason)


def _running(channels):
    return (np.linspace(-1, 1, channels, dtype=np.float32),
            np.linspace(0.5, 2, channels, dtype=np.float32))


def _eval(shape):
    mean, var = _running(shape[1])
    return Case(f"batch_norm eval {shape}", lambda x, w, b: fn.batch_norm(x, mean, var, w, b),
                lambda x, w, b: _twin(x, w, b, mean, var),
                (shape, (shape[1],), (shape[1],)))


CASES = [
    _train((9, 5)),
    _train((7, 17)),
    _train((4, 3, 6)),
    _train((2, 3, 5, 4)),
    _train((3, 33, 2, 3)),
    _train((8, 20, 17, 16), 3e-5, f"{CANCELS} of 2176"),
    _eval((9, 5)),
    _eval((4, 3, 6)),
    _eval((2, 17, 5, 4)),
    Case("batch_norm without weight and bias",
         lambda x: fn.batch_norm(x, None, None, training=True, eps=1e-3),
         lambda x: _twin(x, eps=1e-3), ((6, 3, 4, 2),)),
    Case("batch_norm with running statistics",
         lambda x: fn.batch_norm(x, np.zeros(3), np.ones(3), training=True),
         _twin, ((6, 3, 4, 2),)),
    Case("batch_norm of a far mean",
         lambda x: fn.batch_norm(x + 1000.0, None, None, training=True), _twin, ((64, 3),),
         tolerance=3e-4, reason="x + 1000 is rounded to 6e-5"),
    Case("batch_norm relu", lambda x, w, b: fn.relu(
            fn.batch_norm(x, None, None, w, b, training=True)),
         lambda x, w, b: _twin(x, w, b).clip(0), ((3, 5, 4, 3), away_from_zero(5), (5,))),
    Case("batch_norm eval relu", lambda x, w, b: fn.relu(
            fn.batch_norm(x, *_running(5), w, b)),
         lambda x, w, b: _twin(x, w, b, *_running(5)).clip(0),
         ((3, 5, 4, 3), away_from_zero(5), (5,))),
    Case("batch_norm, add, relu", lambda x, w, b, z: fn.relu(
            fn.batch_norm(x, None, None, w, b, training=True) + z),
         lambda x, w, b, z: (_twin(x, w, b) + z).clip(0),
         ((3, 5, 4, 3), (5,), (5,), (3, 5, 4, 3))),
    Case("batch_norm of two, add, relu", lambda x, w, b, z: fn.relu(
            fn.batch_norm(x, *_running(5), w, b) +
            fn.batch_norm(z, None, None, b, w, training=True, eps=1e-3)),
         lambda x, w, b, z: (_twin(x, w, b, *_running(5)) + _twin(z, b, w, eps=1e-3)).clip(0),
         ((3, 5, 4, 3), (5,), (5,), (3, 5, 4, 3))),
]
