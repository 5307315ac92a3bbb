"""Layer norm, RMS norm and group norm in float64."""

import numpy as np


def _doubles(*arrays):
    return [np.asarray(array, np.float64) for array in arrays]


def moments(x, axes):
    """Mean and biased variance, with axes of size 1."""
    (x,) = _doubles(x)
    mean = x.mean(axes, keepdims=True)
    return mean, ((x - mean) ** 2).mean(axes, keepdims=True)


def apply(x, mean, var, weight, bias, eps):
    x, mean, var, weight, bias = _doubles(x, mean, var, weight, bias)
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def backward(dy, x, weight, eps, axes, parameter_axes, centered=True):
    """dx, dweight, dbias, and the terms that cancel in dx; without `centered` of x / rms(x).

    axes: what statistics are over; parameter_axes: what the parameters' gradients are summed over.
    """
    dy, x, weight = _doubles(dy, x, weight)
    mean = x.mean(axes, keepdims=True) if centered else 0.0
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + eps)
    z, g = (x - mean) * rstd, dy * weight
    parts = g, g.mean(axes, keepdims=True) if centered else 0.0, \
        z * (g * z).mean(axes, keepdims=True)
    dx = rstd * (parts[0] - parts[1] - parts[2])
    return dx, (dy * z).sum(parameter_axes), dy.sum(parameter_axes), rstd * g
