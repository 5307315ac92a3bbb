"""Named arrays in a safetensors file: written atomically, read with distrust, never unpickled."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from fastnn.files.regular import Path
from fastnn.files.write import replacing

TYPES = {"float32": "F32", "float64": "F64", "int64": "I64"}
ALIGNMENT = 8  # of the data's start, as the format asks


class CheckpointError(ValueError):
    """A file of weights or a checkpoint cannot be used; names the file and what is wrong in it."""


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays (float32, float64, int64) in the order given, one at a time.

    The library's own writer copies all arrays first, which a memory budget has no room for.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": TYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with replacing(path) as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            stream.write(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)


class ArrayFile:
    """An open safetensors file whose header was checked; arrays are read when asked for."""

    def __init__(self, path: Path, opened: Any) -> None:
        self.path, self._opened = path, opened
        self.names: tuple[str, ...] = tuple(opened.keys())
        self.metadata: dict[str, str] = dict(opened.metadata() or {})

    def fault(self, what: str) -> CheckpointError:
        """The error that names this file."""
        return CheckpointError(f"{os.fspath(self.path)}: {what}")

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that the header promises; the data is known to be there."""
        return tuple(self._opened.get_slice(name).get_shape())

    def kind(self, name: str) -> str:
        """The type as the format writes it: "F32", "I64", ..."""
        return str(self._opened.get_slice(name).get_dtype())

    def read(self, name: str) -> np.ndarray:
        """One array, copied out of the file."""
        try:
            return np.asarray(self._opened.get_tensor(name))
        except (SafetensorError, TypeError, AttributeError, KeyError) as error:
            raise self.fault(f"{name} cannot be read ({error})") from error

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise CheckpointError unless the array fits a place of this shape and type."""
        wanted = "F" if dtype.kind == "f" else "I"
        kind = self.kind(name)
        if kind not in ({"F16", "F32", "F64"} if wanted == "F" else
                        {"I8", "I16", "I32", "I64", "U8"}):
            raise self.fault(f"{name} has dtype {kind}, expected {TYPES[dtype.name]}")
        if self.shape(name) != tuple(shape):
            raise self.fault(f"{name} has shape {self.shape(name)}, expected {tuple(shape)}")


@contextmanager
def reading(path: Path) -> Iterator[ArrayFile]:
    """Open a safetensors file. Raises OSError if it cannot be opened, else CheckpointError."""
    with open(path, "rb") as stream:  # a clear error for a missing file or a folder
        stream.read(1)
    try:
        opened = safe_open(os.fspath(path), framework="numpy")
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{os.fspath(path)}: not a whole safetensors file ({error})") \
            from error
    with opened:
        yield ArrayFile(path, opened)
