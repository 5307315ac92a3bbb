"""Instance normalisation: group norm where each channel is a group, with running statistics."""

from __future__ import annotations

import math
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.batch_norm import batch_norm, update_running
from fastnn.ops.group_norm import by_channel, normed_groups
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean
from fastnn.spec import ShapeError, check_float


@operation()
def instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None,
    bias: Any = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:
    """Instance normalisation of (batch, channels, places, ...), as in torch.nn.functional.

    y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias, with E and the biased Var over the places
    of one channel of one example; a step moves the running statistics by their means over the
    batch. use_input_stats=False: the running ones stand for E and Var. weight, bias, running_mean,
    running_var: (channels), or None. Raises ShapeError for shapes that do not fit.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> instance_norm(constant(np.ones((2, 6, 4, 4)))).shape
    (2, 6, 4, 4)
    """
    x, eps = as_tensor(input), real(eps, "instance_norm: eps")
    momentum = real(momentum, "instance_norm: momentum")
    check_float("instance_norm", x.spec)
    if x.ndim < 3 or x.shape[1] == 0:
        raise ShapeError("instance_norm: expected (batch, channels, places, ...), got shape "
                         f"{x.shape}")
    running = {"running_mean": running_mean, "running_var": running_var}
    for name, values in running.items():
        if values is not None and as_tensor(values).shape != x.shape[1:2]:
            raise ShapeError(f"instance_norm: {name} {as_tensor(values).shape} does not fit input "
                             f"{x.shape}, expected {x.shape[1:2]}")
    if not flag(use_input_stats, "instance_norm: use_input_stats"):
        if running_mean is None or running_var is None:
            raise ShapeError("instance_norm: use_input_stats=False needs running_mean and "
                             "running_var")
        return batch_norm(x, running_mean, running_var, weight, bias, False, 0.0, eps)
    places = math.prod(x.shape[2:])
    if places < 2:
        raise ShapeError("instance_norm: the input's statistics need more than one place, got "
                         f"input {x.shape}")
    weight, bias = by_channel("instance_norm", x, weight, bias)
    y, means, variances = normed_groups(x, x.shape[1], weight, bias, eps)
    update_running(places, momentum, mean(means, 0), mean(variances, 0), running_mean, running_var)
    return y
