"""Group norm on ranks 2 to 5, with and without weight and bias."""

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


CASES = [
    _case("of images", (2, 6, 5, 7), 3), _case("one group", (2, 6, 4, 3), 1),
    _case("a group for each channel", (2, 5, 4, 3), 5), _case("of rows", (7, 12), 4),
    _case("of sequences", (3, 8, 11), 2), _case("of rank 5", (2, 4, 2, 3, 2), 2),
    _case("without weight", (2, 6, 5, 7), 2, vectors=0),
    _case("without bias", (2, 6, 5, 7), 2, vectors=1), _case("eps", (2, 6, 3, 3), 2, eps=0.5),
]
