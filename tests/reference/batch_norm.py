"""Batch norm over x[m, c] in float64."""

import numpy as np


def stats(x):
    x = x.astype(np.float64)
    mean = x.sum(0) / len(x)
    return mean, ((x - mean) ** 2).sum(0) / len(x)


def apply(x, mean, var, weight, bias, eps):
    x, mean, var, weight, bias = (
        np.asarray(a, np.float64) for a in (x, mean, var, weight, bias))
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def backward(dy, x, mean, var, weight, eps, mask=1.0, constant=False):
    """dx, dweight, dbias; mask: 1 where a ReLU behind the norm passes the gradient."""
    dy, x, mean, var, weight = (np.asarray(a, np.float64) for a in (dy, x, mean, var, weight))
    dy = dy * mask
    normal = (x - mean) / np.sqrt(var + eps)
    dweight, dbias = (dy * normal).sum(0), dy.sum(0)
    dnormal = dy if constant else dy - dbias / len(x) - normal * dweight / len(x)
    return weight / np.sqrt(var + eps) * dnormal, dweight, dbias
