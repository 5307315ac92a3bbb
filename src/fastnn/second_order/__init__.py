"""Second-order methods: products with a loss's Hessian, the Hessian of small nets, and minimize.

>>> import numpy as np, fastnn as fn
>>> model = fn.nn.Linear(2, 1)
>>> x, y = np.random.default_rng(0).normal(size=(20, 2)), np.ones((20, 1))
>>> fn.minimize(model, fn.nn.MSELoss(), (x, y), method="Newton").iterations
1
"""

from fastnn.second_order.hessian import hessian, hvp
from fastnn.second_order.minimize import METHODS, Minimum, minimize

__all__ = ["METHODS", "Minimum", "hessian", "hvp", "minimize"]
