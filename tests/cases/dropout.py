"""Dropout, against Philox4x32-7 written out in Python integers."""

import numpy as np

import fastnn as fn
from fastnn.spec import storage_axes
from tests.cases.case import Case

SEED = 20240607  # the driver sets it before it builds and runs a case
LOW = 2**32 - 1


def _philox(counter, key):
    """Seven rounds (Salmon et al., 2011)."""
    (a, b, c, e), (k0, k1) = counter, key
    for _ in range(7):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, e = (q >> 32) ^ b ^ k0, q & LOW, (p >> 32) ^ e ^ k1, p & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return a, b, c, e


def kept(count, p, stream, step=0, seed=SEED):
    """Whether elements 0 .. count - 1 in memory order are kept; 64 share 16 blocks."""
    result = np.zeros(count, bool)
    for i in range(count):
        group, word, lane = i // 64, i % 64 // 16, i % 16
        counter = (16 * group + lane, stream, step & LOW, step >> 32)
        result[i] = _philox(counter, (seed & LOW, seed >> 32))[word] >= round(p * 2**32)
    return result


def _twin(x, p, stream=0):
    axes = storage_axes(x.ndim)
    stored = x.transpose(axes)
    scale = kept(x.size, p, stream).reshape(stored.shape) / (1 - p) if p < 1 else 0.0
    return (stored * scale).transpose(np.argsort(axes))


CASES = [
    Case("dropout 0.5", lambda x: fn.dropout(x, 0.5), lambda x: _twin(x, 0.5), ((7, 23),)),
    Case("dropout 0.2 of images", lambda x: fn.dropout(x, 0.2), lambda x: _twin(x, 0.2),
         ((2, 3, 5, 7),)),
    Case("dropout 1", lambda x: x + fn.dropout(x, 1.0), lambda x: x, ((4, 9),)),
    Case("dropout, not in training", lambda x: fn.dropout(x, 0.5, training=False) * 1.0,
         lambda x: x, ((4, 9),)),
    Case("two dropouts", lambda x: fn.dropout(fn.dropout(x, 0.3) * 2, 0.4),
         lambda x: _twin(_twin(x, 0.3) * 2, 0.4, 1), ((5, 31),)),
]
