"""Linear maps and matrix products."""

import fastnn as fn
from tests.cases.case import Case


def _linear(x, w, b=0.0):
    return x @ w.T + b


CASES = [
    Case("linear 7x13->5", fn.linear, _linear, ((7, 13), (5, 13), (5,))),
    Case("linear without bias", fn.linear, _linear, ((6, 9), (17, 9))),
    Case("linear one row, one feature", fn.linear, _linear, ((1, 1), (3, 1), (3,))),
    Case("linear 3x65->33", fn.linear, _linear, ((3, 65), (33, 65), (33,))),
    Case("linear of rank 3", fn.linear, _linear, ((2, 3, 5), (4, 5), (4,))),
    Case("linear of rank 1", fn.linear, _linear, ((5,), (4, 5), (4,))),
    Case("linear of rank 4", fn.linear, _linear, ((2, 3, 4, 5), (6, 5), (6,))),
    Case("linear relu", lambda x, w, b: fn.relu(fn.linear(x, w, b)),
         lambda x, w, b: (_linear(x, w, b)).clip(0), ((7, 13), (5, 13), (5,))),
    Case("matmul", fn.matmul, lambda a, b: a @ b, ((5, 7), (7, 3))),
    Case("@ of x and itself", lambda x: x @ x, lambda x: x @ x, ((5, 5),)),
    Case("linear, large", fn.linear, _linear, ((130, 257), (193, 257), (193,)),
         tolerance=3e-5, reason="sums of 257 products in float32"),
]
