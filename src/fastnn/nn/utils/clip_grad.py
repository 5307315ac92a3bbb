"""Clipping of gradients that are arrays, as torch.nn.utils.clip_grad_norm_ and its relatives.

For loops of one's own that change gradients before `optimizer.step(grads)`. A `TrainStep` clips by
itself, without a pass over the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastnn.arguments import flag
from fastnn.nn.parameter import Stored

EPSILON = 1e-6  # PyTorch's, beside the norm
_INSTEAD = ("parameters hold no gradients here: write TrainStep(model, loss, optimizer, {0}), or "
            "optimizer.step(grads, {0}); {1} takes gradients, as fn.value_and_grad(model, loss)"
            "(x, y) returns them")


def scale_to(largest: float, norm: float) -> float:
    """What gradients of a norm are multiplied with, so that their norm is at most `largest`."""
    return min(1.0, largest / (norm + EPSILON))


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> float:
    """Scale gradients in place so that their norm together is at most max_norm; returns the norm.

    g *= min(1, max_norm / (norm + 1e-6)). (Pascanu, Mikolov and Bengio, 2013)

    parameters: gradients, as a dict of arrays by name, a list of arrays, or one array. norm_type:
    p of the p-norm, or "inf". foreach: accepted and not used.

    Raises TypeError for parameters, which hold no gradients; RuntimeError for a norm that is not
    finite, with error_if_nonfinite.

    >>> grads = {"weight": np.array([3.0, 0.0]), "bias": np.array([4.0])}
    >>> clip_grad_norm_(grads, 1.0)
    5.0
    >>> grads["bias"].round(3)
    array([0.8])
    """
    instead = _INSTEAD.format(f"clip_grad_norm={max_norm}", "clip_grad_norm_")
    arrays, most = _writable(parameters, instead), _number("max_norm", max_norm)
    norm = get_total_norm(arrays, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(arrays, most, norm)
    return norm


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: float, foreach: bool | None = None
) -> None:
    """Scale gradients in place by min(1, max_norm / (total_norm + 1e-6)), the norm being known."""
    instead = _INSTEAD.format(f"clip_grad_norm={max_norm}", "clip_grads_with_norm_")
    scale = scale_to(_number("max_norm", max_norm), total_norm)
    for array in _writable(parameters, instead):
        array *= array.dtype.type(scale)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit each element of gradients, in place, to [-clip_value, clip_value].

    >>> grad = np.array([-3.0, 0.5])
    >>> clip_grad_value_(grad, 1.0)
    >>> grad
    array([-1. ,  0.5])
    """
    instead = _INSTEAD.format(f"clip_grad_value={clip_value}", "clip_grad_value_")
    most = _number("clip_value", clip_value)
    for array in _writable(parameters, instead):
        np.clip(array, -most, most, out=array)


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> float:
    """The p-norm of all elements of arrays together: (sum of |g|^p)^(1/p), computed in float64.

    >>> get_total_norm([np.array([3.0]), np.array([4.0])])
    5.0
    """
    arrays = _listed(tensors, _INSTEAD.format("clip_grad_norm=...", "get_total_norm"))
    norm = _norm(arrays, float(norm_type))
    if flag(error_if_nonfinite, "error_if_nonfinite") and not math.isfinite(norm):
        raise RuntimeError(f"the norm of order {norm_type} of the gradients is {norm}, so that "
                           "they cannot be clipped")
    return norm


def _norm(arrays: list[np.ndarray], p: float) -> float:
    if p == math.inf:
        return max((float(np.abs(array).max(initial=0.0)) for array in arrays), default=0.0)
    if p == 2.0:
        flat = [np.ravel(array, "K") for array in arrays]
        return math.sqrt(sum(float(np.einsum("i,i", x, x, dtype=np.float64)) for x in flat))
    total = sum(float(np.sum(np.abs(array, dtype=np.float64) ** p)) for array in arrays)
    return float(total ** (1 / p))


def _listed(gradients: Any, instead: str) -> list[np.ndarray]:
    """The arrays of what may be a dict, a list or one array."""
    if isinstance(gradients, Mapping):
        gradients = gradients.values()
    elif isinstance(gradients, (np.ndarray, Stored)):
        gradients = [gradients]
    if not isinstance(gradients, Iterable):
        raise TypeError(f"expected gradients, got {type(gradients).__name__}; {instead}")
    arrays = [array for array in gradients if array is not None]
    for array in arrays:
        if isinstance(array, Stored) or not isinstance(array, np.ndarray):
            raise TypeError(f"expected arrays, got {type(array).__name__}; {instead}")
        if array.dtype.kind != "f":
            raise TypeError(f"expected arrays of floats, got {array.dtype}")
    return arrays


def _writable(gradients: Any, instead: str) -> list[np.ndarray]:
    """The arrays, which can be changed in place."""
    arrays = _listed(gradients, instead)
    if not all(array.flags.writeable for array in arrays):
        raise ValueError("a gradient is read-only and cannot be clipped in place; copy it")
    return arrays


def _number(name: str, value: Any) -> float:
    number = float(value)
    if not number >= 0:
        raise ValueError(f"{name} must be a number from 0 on, got {value}")
    return number
