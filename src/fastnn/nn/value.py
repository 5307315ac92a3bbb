"""Values with memory of their own: symbolic inside a forward, plain arrays outside of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn.context import tracing
from fastnn.graph import Tensor
from fastnn.habits import HABITS, habit
from fastnn.operators import UFUNCS, Operators

_HABITS = {**HABITS, **dict.fromkeys(("item", "tolist", "numpy", "cpu", "copy", "astype", "fill_"),
                                     "its values are the array .data")}
_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
# Ufuncs of an array and a parameter that build a graph outside of a forward, too.
_IN_GRAPH = UFUNCS.keys() - set(_COMPARISONS)


def _comparison(name: str) -> Callable[..., Any]:
    symbolic, of_arrays = getattr(Operators, name), getattr(np.ndarray, name)

    def method(self: Value, other: Any) -> Any:
        if tracing() or isinstance(other, Tensor):
            return symbolic(self, other)
        if isinstance(other, Value):
            if name in ("__eq__", "__ne__"):
                return (self is other) == (name == "__eq__")
            return of_arrays(self.data, other.data)
        if isinstance(other, (int, float, np.number, np.bool_, np.ndarray, list, tuple)):
            return of_arrays(self.data, other)
        return NotImplemented

    method.__name__ = name
    return method


def _as_arrays(value: Any) -> Any:
    """Arguments of a NumPy function, with arrays in place of each Value."""
    if isinstance(value, Value):
        return value.data
    if isinstance(value, (tuple, list)):
        return type(value)(map(_as_arrays, value))
    return value


class Value(Operators):
    """Base of parameters, buffers and variables; `data` is the array of their values.

    Inside a forward they act as symbolic tensors. Outside, comparisons compare values, as in NumPy,
    except that two of them are equal only if they are the same object, so that `in`, `remove` and
    dicts find a parameter. NumPy's functions take the values; `np.asarray` copies them, DLPack
    (`torch.from_dlpack`) shares their memory, as `data` does.
    """

    data: np.ndarray

    __hash__ = Operators.__hash__
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(
        _comparison, ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._array(), dtype=dtype, copy=copy is None or copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array().__dlpack_device__()

    def _array(self) -> np.ndarray:
        if tracing():
            raise TypeError(f"the values of a {type(self).__name__} change, and a plan would keep "
                            "those of now: compute with it, not with an array of it")
        return self.data

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        in_graph = ufunc.__name__ in _IN_GRAPH and method == "__call__" and not kwargs
        if tracing() or in_graph or any(isinstance(value, Tensor) for value in inputs):
            return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        return getattr(ufunc, method)(*map(_as_arrays, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if tracing() or any(issubclass(kind, Tensor) for kind in types):
            return super().__array_function__(function, types, args, kwargs)
        return function(*_as_arrays(args),
                        **{name: _as_arrays(value) for name, value in kwargs.items()})

    def __bool__(self) -> bool:
        return bool(super().__bool__() if tracing() else self._number("a truth value"))

    def __float__(self) -> float:
        return float(super().__float__() if tracing() else self._number("a float"))

    def __int__(self) -> int:
        return int(super().__int__() if tracing() else self._number("an int"))

    def _number(self, wanted: str) -> Any:
        if self.data.size != 1:
            raise ValueError(f"a {type(self).__name__} of shape {self.data.shape} is ambiguous as "
                             f"{wanted}: compare it with None, or reduce its .data")
        return self.data.item()

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not written to; outside of forward write to "
                        "its array: parameter.data[key] = value")

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(habit(f"a {type(self).__name__}", name, _HABITS))
