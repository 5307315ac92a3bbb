"""Convolution of channels-last images and its gradients: one tap at a time, in float64.

`d` is what the kernels take: n, h, w, c, k, kh, kw, stride_h, stride_w, pad_top, pad_left,
dilation_h, dilation_w, groups, oh, ow, has_bias, relu.
"""

from collections import namedtuple
from itertools import product

import numpy as np

Conv = namedtuple("Conv", "n h w c k kh kw stride_h stride_w pad_top pad_left dilation_h "
                          "dilation_w groups oh ow has_bias relu")


def _taps(v):
    """(tap row, tap column, group, padded rows, padded columns, c slice, k slice), for each."""
    depth, width = v.c // v.groups, v.k // v.groups
    for a, b, g in product(range(v.kh), range(v.kw), range(v.groups)):
        rows = a * v.dilation_h + v.stride_h * np.arange(v.oh)
        columns = b * v.dilation_w + v.stride_w * np.arange(v.ow)
        yield (a, b, rows[:, None], columns, slice(g * depth, (g + 1) * depth),
               slice(g * width, (g + 1) * width))


def _padded(x, v):
    """x in float64 with zeros around it, as far as any tap reaches."""
    height = max(v.pad_top + v.h, (v.oh - 1) * v.stride_h + (v.kh - 1) * v.dilation_h + 1)
    width = max(v.pad_left + v.w, (v.ow - 1) * v.stride_w + (v.kw - 1) * v.dilation_w + 1)
    out = np.zeros((v.n, height, width, v.c))
    out[:, v.pad_top:v.pad_top + v.h, v.pad_left:v.pad_left + v.w] = x
    return out


def conv2d_forward(x, weight, bias, d):
    """y[n,oh,ow,k] from x[n,h,w,c], weight[k,kh,kw,c/groups] and bias[k]."""
    v = Conv(*d)
    x, y = _padded(x, v), np.zeros((v.n, v.oh, v.ow, v.k))
    for a, b, rows, columns, c, k in _taps(v):
        y[..., k] += x[:, rows, columns, c] @ weight[k, a, b].astype(np.float64).T
    if v.has_bias:
        y += bias
    return np.maximum(y, 0) if v.relu else y


def conv2d_grad_input(dy, weight, d):
    """dx[n,h,w,c], the adjoint of the forward pass applied to dy."""
    v = Conv(*d)
    dx = _padded(np.zeros((v.n, v.h, v.w, v.c)), v)
    for a, b, rows, columns, c, k in _taps(v):
        dx[:, rows, columns, c] += dy[..., k].astype(np.float64) @ weight[k, a, b]
    return dx[:, v.pad_top:v.pad_top + v.h, v.pad_left:v.pad_left + v.w]


def conv2d_grad_weight(x, dy, d):
    """dw[k,kh,kw,c/groups]: for each tap, dy^T times the pixels that the tap reads."""
    v = Conv(*d)
    x, dw = _padded(x, v), np.zeros((v.k, v.kh, v.kw, v.c // v.groups))
    for a, b, rows, columns, c, k in _taps(v):
        dw[k, a, b] = np.einsum("nijk,nijc->kc", dy[..., k].astype(np.float64),
                                x[:, rows, columns, c])
    return dw
