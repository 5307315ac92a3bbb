"""The functions of torch.nn.functional; the same are functions of `fastnn`.

>>> import numpy as np
>>> import fastnn.nn.functional as F
>>> from fastnn.graph import constant
>>> F.relu(constant(np.ones((2, 3)))).shape
(2, 3)
"""

from fastnn.nn.later import refusal
from fastnn.ops.names import *  # noqa: F403

__getattr__ = refusal(__name__)
