"""Initial values: the functions of `fastnn.nn.init`, and `scan`, which shows what they do.

>>> import fastnn as fn
>>> weight = fn.init.kaiming_normal_(fn.nn.Linear(3, 2).weight)
>>> scan = fn.init.scan(depths=(10,), width=20, examples=20)
"""

from fastnn.insight.scan import Scan, scan
from fastnn.nn.init import (
    calculate_gain,
    constant_,
    dirac_,
    eye_,
    init_bias,
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)

__all__ = [
    "Scan", "calculate_gain", "constant_", "dirac_", "eye_", "init_bias", "kaiming_normal_",
    "kaiming_uniform_", "normal_", "ones_", "orthogonal_", "scan", "sparse_", "trunc_normal_",
    "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]
