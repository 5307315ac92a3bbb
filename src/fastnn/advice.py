"""Hints for error messages: what is wrong with a value, and what to write instead.

Nothing here decides whether a value is valid; it only words the error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn.foreign import as_array

LABELS = "texts become class numbers by fn.data.LabelEncoder().fit_transform(y)"


def dtype_hint(array: np.ndarray) -> str:
    """What to write for an array that holds no real numbers, after "; "; "" if there is no hint.

    >>> dtype_hint(np.array(["cat", "dog"]))
    '; texts become class numbers by fn.data.LabelEncoder().fit_transform(y)'
    """
    kind = array.dtype.kind
    if kind == "O":
        others = [value for value in array.flat[:1000] if not isinstance(value, (int, float))]
        if not others:
            return "; write .astype(np.float32), or .astype(np.int64) for class numbers"
        first = others[0]
        if isinstance(first, str):
            return f"; {LABELS}"
        if hasattr(first, "toarray"):
            return "; write .toarray() of a sparse matrix"
        return f"; it holds {type(first).__name__}, and arrays of numbers are needed"
    return {
        "U": f"; {LABELS}", "S": f"; {LABELS}",
        "c": "; write np.stack([x.real, x.imag], 1), its parts as channels, or np.abs(x)",
        "M": "; write (x - x[0]) / np.timedelta64(1, 'D')",
        "m": "; write x / np.timedelta64(1, 's')",
    }.get(kind, "")


def _float_hint(name: str, dtype: np.dtype[Any]) -> str:
    scale = " / 255" if dtype == np.uint8 else ""
    value = "x" if " " in name else name  # "input 0"
    return f"{name} is {dtype}: write {value}.astype(np.float32){scale}"


@contextmanager
def explained(names: Sequence[str], values: Sequence[Any]) -> Iterator[None]:
    """Inside, a ShapeError also says how to fix the arrays that were given.

    names, values: of the arrays, or tuples of them.
    """
    try:
        yield
    except ValueError as error:
        explain = getattr(error, "explain", None)
        if explain is not None:
            explain(dict(_named(names, values)))
        raise


def _named(names: Sequence[str], values: Sequence[Any]) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in zip(names, values, strict=True):
        if isinstance(value, tuple):
            yield from _named([f"{name}[{i}]" for i in range(len(value))], value)
        elif isinstance(value, dict):
            yield from _named([f"{name}[{key!r}]" for key in value], list(value.values()))
        else:
            yield name, as_array(value, name)


def hints(arrays: Mapping[str, np.ndarray], floats: Mapping[str, np.ndarray]) -> list[str]:
    """What may be wrong with the arrays of a call; `floats`: those that must be floats."""
    x, y = arrays.get("x"), arrays.get("y")
    if x is not None and y is not None and x.dtype.kind in "iu" and x.ndim < 2 <= y.ndim and (
            y.dtype.kind == "f"):
        return ["x looks like targets and y like examples: are they in the wrong order?"]
    integers = {name: array.dtype for name, array in floats.items() if array.dtype.kind in "iu"}
    rare = {name: dtype for name, dtype in integers.items() if dtype != np.int64}
    # int64 beside uint8 images are class numbers, which are fine.
    return [_float_hint(name, dtype) for name, dtype in (rare or integers).items()]
