"""Convert what people pass to a model into arrays that plans take, or explain why not."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._kernels.checks import all_finite
from fastnn.advice import dtype_hint
from fastnn.arguments import instance
from fastnn.engine.nesting import Named
from fastnn.foreign import as_array
from fastnn.spec import FLOAT, INDEX, ShapeError, Spec


class NonFiniteError(FloatingPointError):
    """NaN or infinity in data, a loss, a gradient or statistics; names where it comes from."""


def as_input(value: Any, name: str) -> np.ndarray:
    """The value as a C-contiguous float32 or int64 array, or TypeError or ValueError.

    Floats become float32, integers int64. True and False become class numbers in targets, which
    are called y; else 1 and 0 in float32, as comparisons give.
    """
    array = as_array(value, name)
    if array.dtype.kind == "b":
        array = array.astype(INDEX if name.startswith("y") else FLOAT)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a value too large for float32 is found below
            array = np.ascontiguousarray(array, dtype=FLOAT).reshape(array.shape)
        if not all_finite(array):
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise NonFiniteError(f"{name} has a non-finite value at index {where}")
    elif array.dtype.kind in "iu":
        array = np.ascontiguousarray(array, dtype=INDEX).reshape(array.shape)
    else:
        raise TypeError(f"{name} must be an array of floats or integers, got {array.dtype}"
                        f"{dtype_hint(array)}")
    if array.size == 0:
        raise ShapeError(f"{name} is empty: shape {array.shape}")
    return array


def as_inputs(value: Any, name: str) -> Any:
    """`as_input` of one array, or a tuple or dict of several."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{name} is a dict, whose keys must be texts, got {list(value)!r:.80}")
        return {key: as_inputs(inner, f"{name}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(as_inputs(inner, f"{name}[{i}]") for i, inner in enumerate(value))
    return as_input(value, name)


def specs_of(value: Any) -> Any:
    """The specs of an array, or of arrays in nested tuples and dicts."""
    if isinstance(value, dict):
        return Named((name, specs_of(inner)) for name, inner in value.items())
    if isinstance(value, tuple):
        return tuple(specs_of(inner) for inner in value)
    return Spec(value.shape, value.dtype)


def as_specs(value: Any, like: Any = None) -> Any:
    """Specs from shapes, with the dtypes of their counterparts in `like`, or float32."""
    if isinstance(value, Spec):
        return value
    if isinstance(value, dict):
        known = like if isinstance(like, dict) else {}
        return Named((name, as_specs(inner, known.get(name))) for name, inner in value.items())
    instance(value, "a shape", (tuple, list))
    if all(isinstance(size, (int, np.integer)) for size in value):
        dtype = like.dtype if isinstance(like, Spec) else FLOAT
        return Spec(tuple(int(size) for size in value), dtype)
    others = like if isinstance(like, tuple) and len(like) == len(value) else [None] * len(value)
    return tuple(as_specs(inner, other) for inner, other in zip(value, others, strict=True))
