"""Hints for error messages: what is wrong with a value, and what to write instead.

Nothing here decides whether a value is valid; it only words the error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

LABELS = "texts become class numbers by  classes, y = np.unique(y, return_inverse=True)"


def dtype_hint(array: np.ndarray) -> str:
    """What to write for an array that holds no real numbers, after "; "; "" if there is no hint.

    >>> dtype_hint(np.array(["cat", "dog"]))
    '; texts become class numbers by  classes, y = np.unique(y, return_inverse=True)'
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
        "b": "; write .astype(np.float32), or .astype(np.int64) for class numbers",
        "U": f"; {LABELS}", "S": f"; {LABELS}",
        "c": "; write np.stack([x.real, x.imag], 1), its parts as channels, or np.abs(x)",
        "M": "; write (x - x[0]) / np.timedelta64(1, 'D')",
        "m": "; write x / np.timedelta64(1, 's')",
    }.get(kind, "")


def as_array(value: Any, name: str) -> np.ndarray:
    """`np.asarray`, with an error that describes the value."""
    expected = f"{name} must be an array of floats or integers, got"
    if value is None or isinstance(value, (str, bytes, dict, set, type)):
        raise TypeError(f"{expected} {value!r:.60}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{expected} an array with masked values, which would count as any other: "
                        f"write {name}.filled(0)")
    try:
        return np.asarray(value)
    except Exception as error:
        if isinstance(value, (list, tuple)):
            shapes = sorted({np.shape(part) for part in value}) if _are_arrays(value) else []
            raise TypeError(f"{expected} a {type(value).__name__} that is no array: its parts have "
                            f"shapes {shapes[:3]}; a batch is one array of examples of one shape, "
                            "several inputs or targets are a tuple of arrays") from error
        hint = ("; write .detach().cpu().numpy()" if hasattr(value, "detach") else
                "; convert it to a NumPy array first")
        raise TypeError(f"{expected} {type(value).__name__}, which says: {error}{hint}") from error


def _are_arrays(values: Sequence[Any]) -> bool:
    return all(isinstance(part, np.ndarray) for part in values)


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
            yield name, np.asarray(value)


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
