"""Named arrays in a safetensors file: written atomically, validated when read, never unpickled.

The format: the length of a header (8 bytes, little-endian), the header (JSON: type, shape and place
of each array, and texts under `__metadata__`), then the arrays without a gap. It is read
by plain reads, not mapped: touching a mapped file that was truncated meanwhile would kill the
process.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from typing import Any, NamedTuple

import numpy as np

from fastnn.files.errors import CheckpointError
from fastnn.files.foreign import HEAD_BYTES, describe
from fastnn.files.read import open_regular, parse_json, reason
from fastnn.files.regular import Path
from fastnn.files.write import replacing

TYPES = {"float32": "F32", "float64": "F64", "int64": "I64"}
ALIGNMENT = 8  # of the data's start, as the format requires
MOST_HEADER_BYTES = 100_000_000  # the format's limit
MOST_AXES = 32  # the limit of every NumPy
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8,
        "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16,
        "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
        "C64": 64}
FLOATS = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
INTEGERS = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "<u1", "U16": "<u2",
            "U32": "<u4"}


class Entry(NamedTuple):
    """An array's entry in the header; start, end: bytes from the data's start."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays (float32, float64, int64) in the order given, one at a time.

    Raises OSError as `replacing`; ValueError for more names and texts than the format holds.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": TYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    if len(text) > MOST_HEADER_BYTES:
        raise ValueError(f"{os.fspath(path)}: the names, and the history of a checkpoint, take "
                         f"{len(text)} bytes, the format holds {MOST_HEADER_BYTES}")
    with replacing(path) as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            stream.write(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)


class ArrayFile:
    """An open safetensors file with a checked header; arrays are read on demand."""

    def __init__(self, path: Path, stream: BufferedReader) -> None:
        """Raises CheckpointError unless the file is whole."""
        self.path, self._stream = path, stream
        try:
            header, self._data = _read_header(stream)
            self.metadata = _texts(header.pop("__metadata__", {}))
            self._entries = {name: _entry(name, values) for name, values in header.items()}
            _check_places(self._entries, os.fstat(stream.fileno()).st_size - self._data)
        except ValueError as error:
            stream.seek(0)
            words = describe(stream.read(HEAD_BYTES))
            raise self.fault(f"not a safetensors file but {words}" if words else
                             f"not a whole safetensors file ({reason(error)})") from error
        self.names = tuple(self._entries)

    def fault(self, what: str) -> CheckpointError:
        """A CheckpointError that names this file."""
        return CheckpointError(f"{os.fspath(self.path)}: {what}")

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, from the checked header."""
        return self._entries[name].shape

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise CheckpointError unless the array has this shape and a matching type."""
        entry = self._entries[name]
        if entry.dtype not in (FLOATS if dtype.kind == "f" else INTEGERS):
            raise self.fault(f"{name} has dtype {entry.dtype}, expected {TYPES[dtype.name]}")
        if entry.shape != tuple(shape):
            raise self.fault(f"{name} has shape {entry.shape}, expected {tuple(shape)}")

    def read(self, name: str) -> np.ndarray:
        """One array, a copy in native byte order; BF16 becomes float32, exactly.

        Raises CheckpointError if the file has been cut short meanwhile.
        """
        entry = self._entries[name]
        content = np.empty(entry.end - entry.start, np.uint8)
        self._stream.seek(self._data + entry.start)
        if self._stream.readinto(content.data) != len(content):
            raise self.fault(f"{name} cannot be read: the file was cut short meanwhile")
        stored = content.view((FLOATS | INTEGERS)[entry.dtype])
        values = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if entry.dtype == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(entry.shape)

    def read_as(self, name: str, dtype: np.dtype[Any]) -> np.ndarray:
        """One array, converted to a type; CheckpointError for a value that is too large for it."""
        values = self.read(name)
        if values.dtype != np.float64:
            return values.astype(dtype, copy=False)
        with np.errstate(over="ignore"):
            result = values.astype(dtype, copy=False)
        if (np.isfinite(values) & ~np.isfinite(result)).any():
            raise self.fault(f"{name} has a value that is too large for {dtype.name}")
        return result


@contextmanager
def reading(path: Path) -> Iterator[ArrayFile]:
    """Open a safetensors file. Raises OSError if it cannot be opened, else CheckpointError."""
    with open_regular(path) as stream:
        yield ArrayFile(path, stream)


def _read_header(stream: BufferedReader) -> tuple[dict[str, Any], int]:
    """(the header, where the data starts)."""
    start = stream.read(8)
    length = int.from_bytes(start, "little")
    rest = os.fstat(stream.fileno()).st_size - len(start)
    if len(start) < 8 or not 2 <= length <= min(rest, MOST_HEADER_BYTES):
        raise ValueError(f"its header would have {length} bytes, the file has {max(rest, 0)}")
    text = stream.read(length)
    header = parse_json(text)
    if not isinstance(header, dict) or text[:1] != b"{":
        raise ValueError("its header is no JSON object")
    return header, 8 + length


def _texts(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__ has more than texts")
    return metadata


def _entry(name: str, values: Any) -> Entry:
    """The entry of an array, checked by itself."""
    if not isinstance(values, dict) or set(values) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} is not described by dtype, shape and data_offsets")
    dtype, shape, places = values["dtype"], values["shape"], values["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(f"{name} has the unknown dtype {dtype!r}")
    for counts in (shape, places):
        if not isinstance(counts, list) or len(counts) > MOST_AXES or not all(
                type(count) is int and 0 <= count < 2**63 for count in counts):
            raise ValueError(f"{name} has the shape {shape!r} at {places!r}")
    if len(places) != 2 or BITS[dtype] * math.prod(shape) != 8 * (places[1] - places[0]):
        raise ValueError(f"{name}, {dtype} of shape {shape}, does not fill {places}")
    return Entry(dtype, tuple(shape), *places)


def _check_places(entries: Mapping[str, Entry], size: int) -> None:
    """Raise ValueError unless the arrays fill the data without gaps or overlaps."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != end:
            raise ValueError(f"{name} begins at {entry.start}, expected {end}")
        end = entry.end
    if end != size:
        raise ValueError(f"the arrays have {end} bytes, the file {size}")
