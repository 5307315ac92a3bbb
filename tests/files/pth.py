"""PyTorch files made by hand, without PyTorch: pickles of instructions, and both containers."""

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

from fastnn.files.pth import MAGIC, VERSION

STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage",
            "i4": "IntStorage", "u1": "ByteStorage", "b1": "BoolStorage"}


def name(text: str) -> bytes:
    """Look up "module.name"."""
    module, _, rest = text.rpartition(".")
    return b"c" + module.encode() + b"\n" + rest.encode() + b"\n"


def value(thing: object) -> bytes:
    """The instructions that push a value of Python's own kinds, without memo and stop."""
    if isinstance(thing, bytes):  # instructions
        return thing
    if isinstance(thing, tuple):
        return b"(" + b"".join(map(value, thing)) + b"t"
    if isinstance(thing, dict):
        items = b"".join(value(key) + value(entry) for key, entry in thing.items())
        return b"}(" + items + b"u"
    if isinstance(thing, list):
        return b"](" + b"".join(map(value, thing)) + b"e"
    return pickle.dumps(thing, 2)[2:-1].replace(b"q\x00", b"")


def storage(key: str, kind: str, count: object, *more: object) -> bytes:
    """The instructions that push tensors' memory."""
    return value(("storage", name(f"torch.{STORAGES.get(kind, kind)}"), key, "cpu", count,
                  *more)) + b"Q"


def tensor(memory: bytes, shape: object, stride: object, offset: object = 0) -> bytes:
    """The instructions that push a tensor."""
    arguments = value((memory, offset, shape, stride, False, value({})))
    return name("torch._utils._rebuild_tensor_v2") + arguments + b"R"


def whole(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """(instructions by name, memory by key) of arrays, each in a storage of its own."""
    made, memory = {}, {}
    for number, (key, array) in enumerate(arrays.items()):
        kind = array.dtype.str[1:]
        strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
        made[key] = tensor(storage(str(number), kind, array.size), array.shape,
                           strides if array.ndim else ())
        memory[str(number)] = array.tobytes()
    return made, memory


def zip_file(
    pickled: bytes, memory: Mapping[str, bytes] | None = None, order: bytes | None = b"little",
    pack: int = zipfile.ZIP_STORED, root: str = "archive/",
) -> bytes:
    """A file as since PyTorch 1.6, around the instructions of one pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", pack) as archive:
        archive.writestr(f"{root}data.pkl", b"\x80\x02" + pickled)
        if order is not None:
            archive.writestr(f"{root}byteorder", order)
        for key, content in (memory or {}).items():
            archive.writestr(f"{root}data/{key}", content)
        archive.writestr(f"{root}version", b"3\n")
    return stream.getvalue()


def legacy_file(
    pickled: bytes, memory: Mapping[str, bytes] | None = None,
    counts: Mapping[str, int] | None = None, little: object = True,
) -> bytes:
    """A file as before PyTorch 1.6; counts: of numbers in each storage, 4 bytes each otherwise."""
    parts = [pickle.dumps(MAGIC, 2), pickle.dumps(VERSION, 2),
             pickle.dumps({"protocol_version": VERSION, "little_endian": little}, 2),
             b"\x80\x02" + pickled, pickle.dumps(list(memory or {}), 2)]
    for key, content in (memory or {}).items():
        count = (counts or {}).get(key, len(content) // 4)
        parts += [struct.pack("<q", count), content]
    return b"".join(parts)
