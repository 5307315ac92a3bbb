"""Winograd convolutions and pooling beside batch norms and joins, which the plan merges."""

import numpy as np

import fastnn as fn
from tests.cases.batch_norm import _twin as norm_twin
from tests.cases.case import Case
from tests.cases.conv2d import _twin as conv_twin
from tests.cases.pooling import _max_twin as pool_twin

SHAPES = ((7, 24, 12, 13), (32, 24, 3, 3), (32,), (32,), (24, 32, 3, 3))
REASON = "Winograd's sums of 288 products, then differences of sums over 1092 pixels"


def _case(name, relu):
    def build(x, filters, weight, bias, more):
        y = fn.batch_norm(fn.conv2d(x, filters, padding=1), None, None, weight, bias,
                          training=True)
        return fn.conv2d(fn.relu(y) if relu else y, more, padding=1)

    def twin(x, filters, weight, bias, more):
        y = norm_twin(conv_twin(x, filters, padding=1), weight, bias)
        return conv_twin(y.clip(0) if relu else y, more, padding=1)

    return Case(name, build, twin, SHAPES, tolerance=1e-4, reason=REASON)


def _seam(x, filters, weight, bias, more):
    """The end of one residual block and the beginning of the next."""
    y = fn.batch_norm(fn.conv2d(x, filters, padding=1), None, None, weight, bias, training=True)
    y = fn.relu(y + x)
    return fn.conv2d(y, more, padding=1) + y


def _seam_twin(x, filters, weight, bias, more):
    y = (norm_twin(conv_twin(x, filters, padding=1), weight, bias) + x).clip(0)
    return conv_twin(y, more, padding=1) + y


def _norm_relu(x, weight, bias):
    return fn.relu(fn.batch_norm(x, None, None, weight, bias, training=True))


def _norm_relu_twin(x, weight, bias):
    return norm_twin(x, weight, bias).clip(0)


def _joined(first, second, filters):
    return fn.conv2d(fn.cat([first, second], 1), filters, padding=1)


def _joined_twin(first, second, filters):
    return conv_twin(np.concatenate([first, second], 1), filters, padding=1)


PARTS = ((7, 32, 12, 13), (7, 24, 12, 13), (24, 56, 3, 3))
CASES = [
    Case("cat, conv2d", _joined, _joined_twin, PARTS, tolerance=1e-4, reason=REASON),
    Case("batch_norm, relu, cat, conv2d",
         lambda a, b, filters, weight, bias: _joined(_norm_relu(a, weight, bias), b, filters),
         lambda a, b, filters, weight, bias: _joined_twin(_norm_relu_twin(a, weight, bias), b,
                                                          filters),
         (*PARTS, (32,), (32,)), tolerance=1e-4, reason=REASON),
    Case("batch_norm, relu, max_pool2d",
         lambda *inputs: fn.max_pool2d(_norm_relu(*inputs), 2),
         lambda *inputs: pool_twin(_norm_relu_twin(*inputs), 2), ((4, 6, 9, 8), (6,), (6,))),
    Case("batch_norm, relu, conv2d 1x1",
         lambda x, weight, bias, *filters: fn.conv2d(_norm_relu(x, weight, bias), *filters),
         lambda x, weight, bias, *filters: conv_twin(_norm_relu_twin(x, weight, bias), *filters),
         ((3, 20, 6, 7), (20,), (20,), (9, 20, 1, 1), (9,))),
    Case("conv2d, batch_norm, add, relu, conv2d, add", _seam, _seam_twin,
         ((7, 24, 12, 13), (24, 24, 3, 3), (24,), (24,), (24, 24, 3, 3)), tolerance=1e-4,
         reason=REASON),
    _case("conv2d, batch_norm, relu, conv2d", True),
    _case("conv2d, batch_norm, conv2d", False),
]
