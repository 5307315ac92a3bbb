"""Softmax and cross-entropy of rows of classes, in float64."""

import numpy as np


def log_softmax(x):
    x = x.astype(np.float64)
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def softmax_grad(y, dy):
    y, dy = y.astype(np.float64), dy.astype(np.float64)
    return y * (dy - (dy * y).sum(1, keepdims=True))


def log_softmax_grad(y, dy):
    y, dy = y.astype(np.float64), dy.astype(np.float64)
    return dy - np.exp(y) * dy.sum(1, keepdims=True)


def _wanted(shape, target, weight, smoothing, ignore_index):
    """q[rows, classes] of loss = -sum(q * log_softmax), and the weight of each row."""
    rows, classes = shape
    wanted, weights = np.zeros(shape), np.zeros(rows)
    for row, label in enumerate(target):
        if label != ignore_index:
            wanted[row] = smoothing / classes * weight
            wanted[row, label] += (1 - smoothing) * weight[label]
            weights[row] = weight[label]
    return wanted, weights


def cross_entropy(logits, target, weight, reduction, ignore_index, smoothing):
    """Row losses, reduced loss (0 for none), divisor; reduction: 0 none, 1 mean, 2 sum."""
    wanted, weights = _wanted(logits.shape, target, weight, smoothing, ignore_index)
    rows = -(wanted * log_softmax(logits)).sum(1)
    divisor = weights.sum() if reduction == 1 else 1.0
    return rows, rows.sum() / divisor if reduction else 0.0, divisor


def cross_entropy_grad(logits, target, weight, reduction, ignore_index, smoothing, dloss):
    wanted, weights = _wanted(logits.shape, target, weight, smoothing, ignore_index)
    gain = dloss / (weights.sum() if reduction == 1 else 1.0)
    probability = np.exp(log_softmax(logits))
    return (probability * wanted.sum(1, keepdims=True) - wanted) * np.reshape(gain, (-1, 1))


def nll(x, target, weight, reduction, ignore_index):
    """Row losses, reduced loss (0 for none), divisor; reduction: 0 none, 1 mean, 2 sum."""
    wanted, weights = _wanted(x.shape, target, weight, 0.0, ignore_index)
    rows = -(wanted * x.astype(np.float64)).sum(1)
    divisor = weights.sum() if reduction == 1 else 1.0
    return rows, rows.sum() / divisor if reduction else 0.0, divisor


def nll_grad(shape, target, weight, reduction, ignore_index, dloss):
    wanted, weights = _wanted(shape, target, weight, 0.0, ignore_index)
    gain = dloss / (weights.sum() if reduction == 1 else 1.0)
    return -wanted * np.reshape(gain, (-1, 1))
