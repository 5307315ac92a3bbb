"""PReLU with one slope and with one for each channel, on all ranks."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, away_from_zero, between


def _twin(x, weight):
    slopes = weight if weight.size == 1 else weight.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, slopes * x)


CASES = [
    Case(f"prelu {name}", fn.prelu, _twin, (away_from_zero(*shape), between(0.1, 0.5, slopes)))
    for name, shape, slopes in (
        ("of images, one slope", (2, 3, 5, 7), 1), ("of images", (2, 19, 5, 7), 19),
        ("of rows", (33, 17), 17), ("of rows, one slope", (33, 17), 1),
        ("of sequences", (3, 5, 11), 5), ("of one channel", (2, 1, 4, 4), 1),
        ("of a vector", (37,), 1), ("of rank 5", (2, 3, 2, 2, 3), 3))
]
TWINS = {"prelu": _twin}
