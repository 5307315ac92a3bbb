"""Arrays of other libraries, read without a copy where that is possible, and without importing any.

What NumPy can read itself is read so: PyTorch's tensors, JAX's and TensorFlow's arrays, tables and
columns of pandas. The others are asked for DLPack, the protocol that such libraries share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_READABLE = (1, 3, 11)  # DLPack's numbers for the memory of CPUs, also what CUDA and ROCm pin there
_DEVICES = {2: "a CUDA device", 8: "a Metal device", 10: "a ROCm device", 13: "CUDA memory"}


def as_array(value: Any, name: str) -> np.ndarray:
    """A value as an array, the memory shared where it can be; TypeError says why it is none.

    >>> as_array([[1.0, 2.0]], "x").shape
    (1, 2)
    """
    expected = f"{name} must be an array of floats or integers, got"
    if value is None or isinstance(value, (str, bytes, dict, set, type)):
        raise TypeError(f"{expected} {value!r:.60}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{expected} an array with masked values, which would count as any other: "
                        f"write {name}.filled(0)")
    try:
        return _widened(_read(value))
    except Exception as error:
        if isinstance(value, (list, tuple)):
            shapes = sorted({np.shape(part) for part in value}) if _are_arrays(value) else []
            raise TypeError(f"{expected} a {type(value).__name__} that is no array: its parts have "
                            f"shapes {shapes[:3]}; a batch is one array of examples of one shape, "
                            "several inputs or targets are a tuple of arrays") from error
        hint = ("; write .detach().cpu().numpy()" if hasattr(value, "detach") else
                "; convert it to a NumPy array first")
        raise TypeError(f"{expected} {type(value).__name__}, which says: {error}{hint}") from error


def _read(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    device = value.__dlpack_device__()[0]
    if device not in _READABLE:
        raise TypeError(f"its values are on {_DEVICES.get(device, f'device {device} of DLPack')}")
    if str(getattr(value, "dtype", "")).endswith("bfloat16") and hasattr(value, "float"):
        value = value.float()  # of PyTorch, whose bfloat16 NumPy does not read
    return np.asarray(value) if hasattr(value, "__array__") else np.from_dlpack(value)


def _widened(array: np.ndarray) -> np.ndarray:
    """Floats of fewer bits that NumPy knows by an extension (ml_dtypes) as float32, exactly."""
    is_float = array.dtype.kind == "V" and array.dtype.name.startswith(("bfloat", "float"))
    return array.astype(np.float32) if is_float else array


def _are_arrays(values: Sequence[Any]) -> bool:
    return all(isinstance(part, np.ndarray) for part in values)
