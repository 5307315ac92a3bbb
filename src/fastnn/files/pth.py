"""State dicts in PyTorch's files (.pth, .pt), read without unpickling anything executable.

Since 1.6 `torch.save` writes a zip file, nothing in it compressed: NAME/data.pkl is a pickle that
describes tensors, NAME/data/KEY their memory, NAME/byteorder the order of bytes. Before, it wrote
pickles one after the other (a magic number, a version, what machine it was, the object, the keys of
the storages), and then each storage: how many numbers, and the numbers. `pickles.py` reads the
pickles. What a tensor needs is read when it is asked for.

Source: PyTorch, torch/serialization.py, as of 2.13; the files that it writes.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from typing import Any

import numpy as np

from fastnn.files.errors import CheckpointError
from fastnn.files.pickles import PickleError, Pickles
from fastnn.files.pth_names import NAMES, Storage, StoredTensor, storage_of, width
from fastnn.files.read import open_regular, reason
from fastnn.files.regular import Path

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MAGIC_BYTES = MAGIC.to_bytes(10, "little")
FLOATS = ("f2", "bf16", "f4", "f8")
INTEGERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4")
MOST_PICKLE = 64 << 20
# Where checkpoints keep the state dict, in the order in which they are looked for.
KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights")
MOST_DICTS = 20  # in which it is looked for
WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel, and of torch.compile


def is_pth(head: bytes) -> bool:
    """Whether a file that begins so is of torch.save: a zip file with data.pkl, or its number."""
    return b"data.pkl" in head if head.startswith(b"PK\x03\x04") else MAGIC_BYTES in head[:40]


class PthFile:
    """An open PyTorch file, its state dict found and checked; arrays are read on demand.

    names: of all tensors in the state dict. What is no tensor in it (numbers, texts) is left aside.
    """

    def __init__(self, path: Path, stream: BufferedReader) -> None:
        """Raises CheckpointError unless the file is whole and holds a state dict alone."""
        self.path, self._stream = path, stream
        self._size = os.fstat(stream.fileno()).st_size
        try:
            self._places, value, self._is_little = self._open()
            self._tensors = state_dict_of(value)
        # A damaged or hostile zip file may raise many types of errors.
        except Exception as error:
            raise self.fault(f"not a whole PyTorch file ({reason(error)})" if not isinstance(
                error, PickleError) else f"cannot be read as weights: {reason(error)}") from error
        self.metadata: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors' names, as in the file or without a wrapper's prefix (see `unwrap`)."""
        return tuple(self._tensors)

    def fault(self, what: str) -> CheckpointError:
        """A CheckpointError that names this file."""
        return CheckpointError(f"{os.fspath(self.path)}: {what}")

    def unwrap(self, own: Mapping[str, Any]) -> None:
        """Take off the prefix that a wrapper gave to all names, unless the model has it too."""
        for prefix in WRAPPERS:
            if self._tensors and all(name.startswith(prefix) for name in self._tensors) \
                    and not all(name.startswith(prefix) for name in own):
                self._tensors = {name.removeprefix(prefix): tensor
                                 for name, tensor in self._tensors.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self._tensors[name].shape

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise CheckpointError unless the array has this shape and a matching type.

        Floating point goes where floating point is expected, integers and truth where integers.
        """
        tensor = self._tensors[name]
        if tensor.kind not in (FLOATS if dtype.kind == "f" else INTEGERS):
            raise self.fault(f"{name} has dtype {tensor.kind}, expected {dtype.name}")
        if tensor.shape != tuple(shape):
            raise self.fault(f"{name} has shape {tensor.shape}, expected {tuple(shape)}")

    def read(self, name: str) -> np.ndarray:
        """One array, in native byte order, read-only; bfloat16 becomes float32, exactly.

        Its strides are the file's, also 0 for numbers that repeat, so that it takes no more memory
        than the file has bytes. Raises CheckpointError if the file has been cut short meanwhile.
        """
        tensor = self._tensors[name]
        numbers = self._numbers(tensor.storage, tensor.kind, tensor.offset, tensor.span)
        return _strided(numbers, tensor)

    def read_all(self) -> dict[str, np.ndarray]:
        """All arrays; those that share a storage in the file share memory here. Raises as `read`.
        """
        stored: dict[tuple[str, str], np.ndarray] = {}
        for storage, kind in {(t.storage, t.kind) for t in self._tensors.values()}:
            stored[storage.key, kind] = self._numbers(storage, kind, 0, storage.size // width(kind))
        return {name: _strided(stored[tensor.storage.key, tensor.kind][tensor.offset:], tensor)
                for name, tensor in self._tensors.items()}

    def read_as(self, name: str, dtype: np.dtype[Any]) -> np.ndarray:
        """One array, converted to a type; CheckpointError for a value that is too large for it."""
        values = self.read(name)
        with np.errstate(over="ignore"):
            result = values.astype(dtype, copy=False)
        if values.dtype == np.float64 and (np.isfinite(values) & ~np.isfinite(result)).any():
            raise self.fault(f"{name} has a value that is too large for {dtype.name}")
        return result

    def _numbers(self, storage: Storage, kind: str, start: int, count: int) -> np.ndarray:
        """Numbers of a storage, in native order; truth as it is, whatever its bytes are."""
        content = np.empty(count * width(kind), np.uint8)
        self._stream.seek(self._places[storage.key] + start * width(kind))
        if self._stream.readinto(content.data) != len(content):
            raise self.fault("cannot be read: the file was cut short meanwhile")
        if kind == "b1":
            truth: np.ndarray = content != 0
            return truth
        order = "<" if self._is_little else ">"
        stored = content.view(np.dtype(f"{order}{'u2' if kind == 'bf16' else kind}"))
        values: np.ndarray = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if kind == "bf16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def _open(self) -> tuple[dict[str, int], Any, bool]:
        """(where each storage lies, the object, whether numbers are little-endian)."""
        is_zip = self._stream.read(4) == b"PK\x03\x04"
        self._stream.seek(0)
        return _open_zip(self._stream, self._size) if is_zip else \
            _open_legacy(self._stream, self._size)


@contextmanager
def reading(path: Path) -> Iterator[PthFile]:
    """Open a PyTorch file. Raises OSError if it cannot be opened, else CheckpointError."""
    with open_regular(path) as stream:
        yield PthFile(path, stream)


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a PyTorch file's state dict, by name, read-only.

    Raises CheckpointError, which names the file and what is wrong; OSError.
    """
    with reading(path) as file:
        return file.read_all()


def state_dict_of(value: Any) -> dict[str, StoredTensor]:
    """The tensors of a state dict, alone in a file or within a checkpoint's dicts.

    A dict under one of `KEYS` that has tensors counts before those beside it, so that a tensor
    there ("best accuracy") is no weight. Raises PickleError if there is none.
    """
    if not isinstance(value, dict):
        raise PickleError(f"expected a state dict, found {_kind(value)}")
    tensors = _find_tensors(value, set())
    if not tensors:
        names = ", ".join(str(key)[:30] for key in list(value)[:5])
        raise PickleError(f"it has no tensors by name; found a dict with {names or 'nothing'}")
    return tensors


def _find_tensors(value: dict[Any, Any], seen: set[int]) -> dict[str, StoredTensor]:
    """Those of the innermost dict under `KEYS` that has any; each dict is looked into once."""
    seen.add(id(value))
    if len(seen) <= MOST_DICTS:
        for key in KEYS:
            inner = value.get(key)
            if isinstance(inner, dict) and id(inner) not in seen and (
                    found := _find_tensors(inner, seen)):
                return found
    return {key: entry for key, entry in value.items()
            if isinstance(key, str) and isinstance(entry, StoredTensor)}


def _kind(value: Any) -> str:
    return "a single tensor" if isinstance(value, StoredTensor) else f"a {type(value).__name__}"


def _strided(numbers: np.ndarray, tensor: StoredTensor) -> np.ndarray:
    strides = [step * numbers.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False)


class _Storages:
    """Notes the storages that a pickle names: each always of one size."""

    def __init__(self) -> None:
        self.found: dict[str, Storage] = {}

    def __call__(self, description: Any) -> Storage:
        storage = storage_of(description)
        if self.found.setdefault(storage.key, storage).size != storage.size:
            raise PickleError(f"it has storage {storage.key[:30]} in two sizes")
        return storage


def _open_zip(stream: BufferedReader, size: int) -> tuple[dict[str, int], Any, bool]:
    archive = zipfile.ZipFile(stream)
    entries = {entry.filename: entry for entry in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
    if len(roots) != 1 or len(entries) != len(archive.infolist()):
        raise PickleError(f"expected one data.pkl in the zip file, found {len(roots)}")
    root = roots[0]
    if f"{root}constants.pkl" in entries:
        raise PickleError("it is a TorchScript program, not weights: save its state_dict()")
    places = {name: _place(stream, entry, size) for name, entry in entries.items()
              if name.startswith((f"{root}data.pkl", f"{root}data/", f"{root}byteorder"))}

    def content(name: str, most: int) -> bytes:
        if entries[name].file_size > most:
            raise PickleError(f"its {name[-30:]} has more than {most} bytes")
        stream.seek(places[name])
        return stream.read(entries[name].file_size)

    order = content(f"{root}byteorder", 10) if f"{root}byteorder" in entries else b"little"
    if order not in (b"little", b"big"):
        raise PickleError("its order of bytes is neither little nor big")
    storages = _Storages()
    pickled = content(f"{root}data.pkl", MOST_PICKLE)
    value = Pickles(io.BytesIO(pickled), len(pickled), NAMES, storages).read()
    if sum(storage.size for storage in storages.found.values()) > size:
        raise PickleError("its storages have more bytes than the file")  # entries that overlap
    for key, storage in storages.found.items():
        entry = entries.get(f"{root}data/{key}")
        if entry is None or entry.file_size < storage.size:
            raise PickleError(f"storage {key[:30]} has {entry.file_size if entry else 0} bytes, "
                              f"expected {storage.size}")
    return ({key: places[f"{root}data/{key}"] for key in storages.found}, value,
            order == b"little")


def _place(stream: BufferedReader, entry: zipfile.ZipInfo, size: int) -> int:
    """Where an entry's bytes begin: behind its own header, whose length only that header tells."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise PickleError(f"{entry.filename[-30:]} is compressed or encrypted, which PyTorch does "
                          "not: unpack the file and pack it without compression")
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if len(header) != 30 or not header.startswith(b"PK\x03\x04"):
        raise PickleError(f"{entry.filename[-30:]} is not where the zip file says")
    name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
    place: int = entry.header_offset + 30 + name_bytes + extra_bytes
    if place + entry.file_size > size:
        raise PickleError(f"{entry.filename[-30:]} ends behind the file")
    return place


def _open_legacy(stream: BufferedReader, size: int) -> tuple[dict[str, int], Any, bool]:
    storages = _Storages()
    machine = Pickles(stream, size, NAMES, storages)
    if machine.read() != MAGIC or machine.read() != VERSION:
        raise PickleError("a pickle, but not one of torch.save")
    told = machine.read()
    little = told.get("little_endian") if isinstance(told, dict) else None
    if not isinstance(little, bool):
        raise PickleError("it does not say its order of bytes")
    value, keys = machine.read(), machine.read()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) \
            or set(keys) != set(storages.found) or len(keys) != len(storages.found):
        raise PickleError("its list of storages is not that of its tensors")
    places, place = {}, size - machine.room
    for key in keys:
        storage = storages.found[key]
        stream.seek(place)
        head = stream.read(8)
        if int.from_bytes(head, "little" if little else "big") * width(storage.kind) \
                != storage.size or place + 8 + storage.size > size:
            raise PickleError(f"storage {key[:30]} is not whole: expected {storage.size} bytes at "
                              f"{place + 8}, the file ends at {size}")
        places[key] = place + 8
        place += 8 + storage.size
    return places, value, little


__all__ = ["PthFile", "is_pth", "read_state_dict", "reading"]
