"""Norms over channels of an example: group, instance and local response norm."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


def _twin(groups, eps=1e-5):
    def twin(x, weight=None, bias=None):
        grouped = x.reshape(x.shape[0], groups, -1)
        centered = grouped - grouped.mean(2, keepdims=True)
        deviation = np.sqrt((centered**2).mean(2, keepdims=True) + eps)
        y, shape = (centered / deviation).reshape(x.shape), (1, -1, *[1] * (x.ndim - 2))
        y = y if weight is None else y * weight.reshape(shape)
        return y if bias is None else y + bias.reshape(shape)
    return twin


def _case(name, shape, groups, vectors=2, **arguments):
    return Case(f"group_norm {name}", lambda x, *rest: fn.group_norm(x, groups, *rest, **arguments),
                _twin(groups, **arguments), (shape, *[(shape[1],)] * vectors))


def _instance_twin(x, weight=None, bias=None):
    return _twin(x.shape[1])(x, weight, bias)


def _instance(name, shape, vectors=2):
    return Case(f"instance_norm {name}", lambda x, *rest: fn.instance_norm(x, None, None, *rest),
                _instance_twin, (shape, *[(shape[1],)] * vectors))


def _running_twin(x, mean, var, eps=1e-5):
    shape = (1, -1, *[1] * (x.ndim - 2))
    return (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps)


def _window_twin(x, size, alpha=1e-4, beta=0.75, k=1.0):
    sums = np.zeros_like(x)
    for channel in range(x.shape[1]):
        first = max(channel - size // 2, 0)
        window = x[:, first:channel - size // 2 + size]
        sums[:, channel] = (window**2).sum(1) / size
    return x / (k + alpha * sums) ** beta


def _window(name, shape, *arguments):
    return Case(f"local_response_norm {name}", lambda x: fn.local_response_norm(x, *arguments),
                lambda x: _window_twin(x, *arguments), (shape,))


TWINS = {"group_norm": lambda x, groups, *rest: _twin(groups)(x, *rest),
         "instance_norm": _instance_twin}
CASES = [
    _instance("of images", (2, 5, 4, 3)), _instance("of sequences", (3, 4, 11)),
    _instance("of rank 5", (2, 3, 2, 3, 2)), _instance("without weight", (2, 17, 5, 4), vectors=0),
    _instance("without bias", (2, 3, 8, 7), vectors=1),
    Case("instance_norm with running statistics",
         lambda x: fn.instance_norm(x, np.linspace(-1, 1, 3), np.linspace(0.5, 2, 3),
                                    use_input_stats=False),
         lambda x: _running_twin(x, np.linspace(-1, 1, 3), np.linspace(0.5, 2, 3)), ((4, 3, 5),)),
    Case("group_norm behind a 1-D convolution",
         lambda x, w: fn.group_norm(fn.conv1d(x, w), 2),
         lambda x, w: _twin(2)(np.einsum("ncl,kc->nkl", x, w[:, :, 0])),
         ((2, 3, 7), (4, 3, 1)), tolerance=3e-5, reason="a division by small deviations"),
    _window("of images", (2, 7, 3, 4), 5, 0.3, 0.75, 2.0),
    _window("of an even window", (2, 6, 5), 4, 0.5, 0.5, 1.0),
    _window("of a window wider than the channels", (1, 3, 2, 2, 2), 9, 1.0, 1.0, 0.5),
    _case("of images", (2, 6, 5, 7), 3), _case("one group", (2, 6, 4, 3), 1),
    _case("a group for each channel", (2, 5, 4, 3), 5), _case("of rows", (7, 12), 4),
    _case("of sequences", (3, 8, 11), 2), _case("of rank 5", (2, 4, 2, 3, 2), 2),
    _case("without weight", (2, 6, 5, 7), 2, vectors=0),
    _case("without bias", (2, 6, 5, 7), 2, vectors=1), _case("eps", (2, 6, 3, 3), 2, eps=0.5),
]
