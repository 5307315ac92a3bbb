"""Helpers for parameters and gradients, as torch.nn.utils: vectors of all of them, clipping, and
weight normalisation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from fastnn.foreign import as_array
from fastnn.nn.parameter import Stored
from fastnn.nn.utils import parametrizations, parametrize
from fastnn.nn.utils.clip_grad import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from fastnn.nn.utils.weight_norm import remove_weight_norm, weight_norm
from fastnn.spec import FLOAT, ShapeError

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm",
           "parameters_to_vector", "parametrizations", "parametrize", "remove_weight_norm",
           "vector_to_parameters", "weight_norm"]

_LATER = {
    "clip_grad_norm": "write clip_grad_norm_",
    **dict.fromkeys(("spectral_norm", "remove_spectral_norm"),
                    "it is not here yet; what is: nn.utils.parametrizations.weight_norm"),
    "rnn": "layers for sequences are not here yet (docs/operations_later.md)",
    "prune": "it is not here yet; p.data[mask] = 0 zeroes weights between steps",
    "skip_init": "write the layer itself",
}


def parameters_to_vector(parameters: Iterable[Any]) -> np.ndarray:
    """All values of parameters, or of arrays such as their gradients, as one array with one axis.

    >>> from fastnn.nn.linear import Linear
    >>> parameters_to_vector(Linear(3, 2).parameters()).shape
    (8,)
    """
    arrays = [_array(parameter) for parameter in _all(parameters)]
    return np.concatenate([np.ravel(array) for array in arrays] or [np.zeros(0, FLOAT)])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Write one array with one axis into parameters, or arrays, one after the other.

    Nothing is changed if its length is wrong: ShapeError.

    >>> from fastnn.nn.linear import Linear
    >>> layer = Linear(3, 2)
    >>> vector_to_parameters(np.arange(8.0), layer.parameters())
    >>> layer.bias.data
    array([6., 7.], dtype=float32)
    """
    values, arrays = as_array(vec, "vec"), [_array(parameter) for parameter in _all(parameters)]
    count = sum(array.size for array in arrays)
    if values.shape != (count,):
        raise ShapeError(f"vec has shape {values.shape}, expected ({count},): the parameters have "
                         f"{count} values")
    done = 0
    for array in arrays:
        array[...] = values[done:done + array.size].reshape(array.shape)
        done += array.size


def _all(parameters: Iterable[Any]) -> list[Any]:
    if isinstance(parameters, dict):
        return list(parameters.values())
    return [parameters] if isinstance(parameters, (Stored, np.ndarray)) else list(parameters)


def _array(parameter: Any) -> np.ndarray:
    """A parameter's values in place, or an array itself."""
    if isinstance(parameter, Stored):
        return parameter.data
    if not isinstance(parameter, np.ndarray):
        raise TypeError("expected parameters or arrays, as model.parameters() gives, got "
                        f"{type(parameter).__name__}")
    return parameter


def __getattr__(name: str) -> NoReturn:
    said = _LATER.get(name)
    raise AttributeError(f"{__name__} has no {name}" + (f": {said}" if said else ""), name=name)
