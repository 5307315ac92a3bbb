"""The names that a PyTorch file may look up, and what stands for them here: tensors and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnn.files.pickles import Built, Make, Named, PickleError

MOST_AXES = 32  # the limit of every NumPy
# PyTorch's name of a type: NumPy's. bfloat16 is the upper half of a float32.
STORAGES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "bf16",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "b1", "ComplexFloatStorage": "c8",
    "ComplexDoubleStorage": "c16",
}
DTYPES = {
    "float32": "f4", "float": "f4", "float64": "f8", "double": "f8", "float16": "f2", "half": "f2",
    "bfloat16": "bf16", "int64": "i8", "long": "i8", "int32": "i4", "int": "i4", "int16": "i2",
    "short": "i2", "int8": "i1", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "bool": "b1", "complex64": "c8", "complex128": "c16",
}
UNTYPED = "torch.storage.UntypedStorage"


def width(kind: str) -> int:
    """The bytes of one number."""
    return 2 if kind == "bf16" else np.dtype(kind).itemsize


class Storage(NamedTuple):
    """Memory that tensors lie in: its key in the file, the type of its numbers, how many bytes."""

    key: str
    kind: str
    size: int


class StoredTensor(NamedTuple):
    """A tensor as a file describes it, checked; offset and stride count numbers, as in PyTorch."""

    storage: Storage
    kind: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def span(self) -> int:
        """How many numbers lie from the first to the last, both included."""
        if 0 in self.shape:
            return 0
        steps = zip(self.shape, self.stride, strict=True)
        return 1 + sum((size - 1) * stride for size, stride in steps)


def storage_of(description: Any) -> Storage:
    """A storage from what PyTorch's writer calls its persistent id."""
    if not isinstance(description, tuple) or len(description) not in (5, 6) \
            or description[0] != "storage":
        raise PickleError("it has something beside it that is no tensor's memory")
    _, kind, key, _, count = description[:5]
    if description[5:] not in ((), (None,)):
        raise PickleError("it has a storage that is a part of another one (PyTorch before 0.4)")
    name = kind.name if isinstance(kind, Named) else ""
    form = "u1" if name == UNTYPED else STORAGES.get(name.removeprefix("torch."))
    if form is None or not isinstance(key, str) or not _is_count(count):
        raise PickleError("it has a storage whose type, key or size is not known")
    return Storage(key, form, count * width(form))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _counts(values: Any, what: str) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > MOST_AXES \
            or not all(map(_is_count, values)):
        raise PickleError(f"it has a tensor whose {what} is no tuple of up to {MOST_AXES} integers "
                          "from 0 on")
    return tuple(values)


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, Storage):
        raise PickleError("it has a tensor without a storage")
    return _checked(storage, storage.kind, offset, shape, stride)


def _tensor_of_type(
    storage: Any, offset: Any, shape: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> StoredTensor:
    """A tensor of a type that has no storage of its own, such as uint16."""
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Named) else ""
    if not isinstance(storage, Storage) or name not in DTYPES:
        raise PickleError("it has a tensor of a type that is not known")
    return _checked(storage, DTYPES[name], offset, shape, stride)


def _checked(storage: Storage, kind: str, offset: Any, shape: Any, stride: Any) -> StoredTensor:
    """A tensor that lies in its storage with all of its numbers."""
    tensor = StoredTensor(storage, kind, offset, _counts(shape, "shape"),
                          _counts(stride, "stride"))
    if not _is_count(offset) or len(tensor.shape) != len(tensor.stride):
        raise PickleError("it has a tensor whose offset, shape and stride do not fit")
    if (offset + tensor.span) * width(kind) > storage.size:
        raise PickleError(f"it has a tensor of shape {tensor.shape} and stride {tensor.stride} "
                          f"from number {offset} on, and {storage.size} bytes for it")
    if math.prod(tensor.shape) * width(kind) >= 2**62:
        raise PickleError(f"it has a tensor of shape {tensor.shape}, too large for any memory")
    return tensor


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _dict(pairs: Any = ()) -> dict[Any, Any]:
    """An OrderedDict, made empty, or of pairs as Python 2 did."""
    if not isinstance(pairs, (list, tuple)) or not all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)
            for pair in pairs):
        raise PickleError("it has an OrderedDict of what are no pairs")
    return {key: value for key, value in pairs}


def _set(values: Any = ()) -> set[Any]:
    if not isinstance(values, (list, tuple)) or not all(
            isinstance(value, (str, int, float)) for value in values):
        raise PickleError("it has a set of what are no texts or numbers")
    return set(values)


def _size(sizes: Any = ()) -> tuple[int, ...]:
    return _counts(sizes, "torch.Size")


def _device(kind: Any, number: Any = None) -> str:
    return str(kind)[:20] if isinstance(kind, str) else ""


def _latin1(text: Any, encoding: Any) -> bytes:
    """Bytes, as protocol 2 writes them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise PickleError("it has bytes in another encoding than latin1")
    return text.encode("latin1")


class NumberType(Built):
    """A numpy.dtype of plain numbers; its state says the order of bytes."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or code not in ("f2", "f4", "f8", "b1", *(
                f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))):
            raise PickleError("it has a numpy.dtype that is none of plain numbers")
        self.dtype: np.dtype[Any] = np.dtype(code)

    def build(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "=", "|"):
            raise PickleError("it has a numpy.dtype with another state than an order of bytes")
        self.dtype = self.dtype.newbyteorder(order)


def _scalar(kind: Any, content: Any) -> int | float | bool:
    if not isinstance(kind, NumberType) or not isinstance(content, bytes) \
            or len(content) != kind.dtype.itemsize:
        raise PickleError("it has a number of NumPy that is none")
    return np.frombuffer(content, kind.dtype)[0].item()  # type: ignore[no-any-return]


NAMES: Mapping[str, Make | None] = {
    "collections.OrderedDict": _dict, "__builtin__.set": _set, "builtins.set": _set,
    "torch._utils._rebuild_tensor": _tensor, "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_type,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.Size": _size, "torch.device": _device, UNTYPED: None,
    **{f"torch.{name}": None for name in (*STORAGES, *DTYPES)},
    "_codecs.encode": _latin1, "numpy.dtype": NumberType,
    "numpy.core.multiarray.scalar": _scalar, "numpy._core.multiarray.scalar": _scalar,
}
