"""Parameters and buffers: arrays that a module owns, in memory that never moves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import array_of, flag
from fastnn.context import tracing
from fastnn.graph import Tensor, leaf
from fastnn.nn.value import Value
from fastnn.runtime.arena import aligned_array
from fastnn.spec import FLOAT, INDEX, ShapeError, Spec, logical_view, storage_axes, storage_shape

_structure = _mode = _writes = 0
_stand_ins: ContextVar[Mapping[int, Tensor]] = ContextVar(
    "stand_ins", default=MappingProxyType({}))


def versions() -> tuple[int, int]:
    """(structure, mode): the first changes with any attribute of any module, the second with
    train(), eval() and requires_grad. Cached plans are valid while both are unchanged."""
    return _structure, _mode


def structure_changed() -> None:
    """An attribute of a module was set."""
    global _structure
    _structure += 1


def mode_changed() -> None:
    """A module's training flag or a parameter's requires_grad was set, or one was added to an
    optimizer."""
    global _mode
    _mode += 1


def writes() -> int:
    """A number that changes whenever values of parameters or buffers may."""
    return _writes


def values_change() -> None:
    """Values of parameters or buffers may change, now or through an array that is handed out."""
    global _writes
    _writes += 1


@contextmanager
def standing_in(values: Mapping[Parameter, Tensor]) -> Iterator[None]:
    """Inside, these symbolic values replace parameters."""
    token = _stand_ins.set({**_stand_ins.get(), **{id(p): value for p, value in values.items()}})
    try:
        yield
    finally:
        _stand_ins.reset(token)


class Stored(Value):
    """An array in storage order with a symbolic value of its own."""

    kind = "buffer"

    def __init__(self, data: Any) -> None:
        array = array_of(data, f"the values of a {type(self).__name__}")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"expected numbers, got dtype {array.dtype}")
        dtype = INDEX if array.dtype.kind in "iub" and self.kind == "buffer" else FLOAT
        self._spec = Spec(array.shape, dtype)
        self.memory = aligned_array(storage_shape(array.shape), dtype)
        self._leaf = leaf(self.kind, self, self._spec)
        self.data = array

    @property
    def data(self) -> np.ndarray:
        """The values, with logical axes; a view of the memory that kernels use."""
        if tracing():
            warnings.warn(f"forward reads .data of a {type(self).__name__}: it runs only while it "
                          "is traced, and the plan keeps the values of now; compute with the "
                          f"{type(self).__name__} itself (docs/tracing.md)", stacklevel=2)
        values_change()
        return logical_view(self.memory, self._spec.shape)

    @data.setter
    def data(self, value: Any) -> None:
        array = array_of(value, f"the values of a {type(self).__name__}")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"expected numbers, got dtype {array.dtype}")
        if array.shape != self._spec.shape:
            raise ShapeError(f"expected shape {self._spec.shape}, got {array.shape}")
        values_change()
        self.memory[...] = array.transpose(storage_axes(array.ndim))

    def zeros(self) -> np.ndarray:
        """A zeroed array of the same shape and storage, for an optimizer's state."""
        memory = aligned_array(self.memory.shape, self.memory.dtype)
        memory[...] = 0  # touched, so that a plan counts it as resident
        return memory

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self._spec.shape

    @property
    def ndim(self) -> int:
        return len(self._spec.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._spec.dtype

    def __tensor__(self) -> Tensor:
        return _stand_ins.get().get(id(self), self._leaf)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"


class Buffer(Stored):
    """State that is saved but not trained: running statistics and the like."""


class Parameter(Stored):
    """A trainable array of any shape (float32).

    `names`: those under which gradients of it were handed out.

    >>> Parameter(np.zeros((3, 2))).shape
    (3, 2)
    """

    kind = "parameter"
    names: frozenset[str] = frozenset()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        if tracing():
            warnings.warn("a Parameter is made in forward: each plan has another one, which is "
                          "never trained; make parameters and layers in __init__", stacklevel=3)
        super().__init__(data)
        self._requires_grad = flag(requires_grad, "requires_grad")

    @property
    def requires_grad(self) -> bool:
        """Whether training changes it; a frozen parameter costs no backward work."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if flag(value, "requires_grad") != self._requires_grad:
            self._requires_grad = bool(value)
            mode_changed()

    def now_trained(self) -> None:
        """An optimizer has taken it later than others: plans that it has do not train it."""
        mode_changed()


class Uninitialized(Stored):
    """A parameter or buffer of a lazy layer (`nn/lazy.py`), which has no shape yet."""

    made_of: ClassVar[type[Stored]]

    def __getattr__(self, name: str) -> Any:
        if name in ("memory", "_spec", "_leaf"):
            raise ValueError("a lazy layer has no values and no shape before its first call: call "
                             "the model on an example first, and then make the optimizer, count "
                             "or save")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def materialize(self, shape: tuple[int, ...]) -> None:
        """Become a parameter or buffer of this shape, with zeros; the object stays the same."""
        self.__class__ = self.made_of  # type: ignore[assignment]
        Stored.__init__(self, np.zeros(shape, np.float32))
        structure_changed()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is known at the first call, as torch.nn.UninitializedParameter."""

    made_of = Parameter

    def __init__(self, requires_grad: bool = True) -> None:
        self._requires_grad = flag(requires_grad, "requires_grad")


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer whose shape is known at the first call, as torch.nn.UninitializedBuffer."""

    made_of = Buffer

    def __init__(self) -> None:
        """Nothing is known yet."""
