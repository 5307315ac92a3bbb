"""Operators, slicing and methods of a tensor, with errors for what is not supported.

Shared by symbolic tensors and parameters. `ops` fills `OPERATORS` with the operations: graph.py
imports this module, so it cannot import them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from fastnn.arguments import integer
from fastnn.habits import FORWARD

OPERATORS: dict[str, Callable[..., Any]] = {}

# The ufuncs that NumPy calls if an array is the left operand: ndarray + tensor.
UFUNCS = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div",
           "matmul": "matmul", "power": "pow", "equal": "eq", "not_equal": "ne", "less": "lt",
           "less_equal": "le", "greater": "gt", "greater_equal": "ge", "bitwise_and": "and_",
           "bitwise_or": "or_", "bitwise_xor": "xor", "maximum": "maximum",
           "minimum": "minimum"}
# Functions of NumPy that have another name here.
_NAMES = {
    "concatenate": "fn.cat", "stack": "fn.cat of x[None]", "absolute": "fn.abs",
    "subtract": "fn.sub", "multiply": "fn.mul", "divide": "fn.div", "negative": "-x",
    "clip": "fn.clamp(x, low, high)", "where": "fn.where(mask, x, y)",
    "squeeze": "x.reshape", "expand_dims": "x[:, None]", "transpose": "x.permute",
    "broadcast_to": "x.expand",
    "take_along_axis": "fn.take_along_dim", "take": "fn.index_select", "pad": "fn.pad",
}
_NAMES.update((name, f"fn.{name}") for name in (
    "add", "maximum", "minimum", "mean", "sum", "reshape", "matmul"))


class Size(int):
    """The number of elements, as NumPy's `size`; called, the shape or one size, as in PyTorch.

    >>> size = Size((4, 3))
    >>> size, size(), size(0), size(-1)
    (12, (4, 3), 4, 3)
    """

    shape: tuple[int, ...]

    def __new__(cls, shape: tuple[int, ...]) -> Size:
        """The product of a shape."""
        size = super().__new__(cls, math.prod(shape))
        size.shape = shape
        return size

    def __call__(self, dim: int | None = None) -> Any:
        if dim is None:
            return self.shape
        number = integer(dim, "an axis")
        if not -len(self.shape) <= number < len(self.shape):
            raise IndexError(f"axis {number} is outside of shape {self.shape}")
        return self.shape[number]

    def __reduce__(self) -> Any:
        return int, (int(self),)


def method(name: str) -> Callable[..., Any]:
    """A method that calls the operation of that name with the tensor in front."""
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return OPERATORS[name](self, *args, **kwargs)

    call.__name__ = name
    return call


def _reflected(name: str) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return OPERATORS[name](other, self)

    method.__name__ = name
    return method


def _refusal(sentence: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(sentence)

    return method


def _comparison(name: str) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if not _has_numbers(other):
            return NotImplemented  # None and strings are never equal to a tensor, as in PyTorch
        return OPERATORS[name](self, other)

    method.__name__ = name
    return method


def _has_numbers(value: Any) -> bool:
    return hasattr(value, "__tensor__") or isinstance(
        value, (int, float, np.ndarray, np.generic, list, tuple))


class Operators:
    """Arithmetic, comparisons and methods, with errors for all others."""

    __slots__ = ()  # so that a symbolic tensor cannot get new attributes
    __hash__ = object.__hash__  # by identity, for the graph's own dicts and sets

    __add__, __sub__, __mul__, __truediv__ = map(method, ("add", "sub", "mul", "div"))
    __radd__, __rsub__, __rmul__, __rtruediv__ = map(_reflected, ("add", "sub", "mul", "div"))
    __neg__, __pow__, __matmul__, __abs__ = map(method, ("neg", "pow", "matmul", "abs"))
    __rmatmul__, __rpow__, __rdiv__ = map(_reflected, ("matmul", "pow", "div"))
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(
        _comparison, ("eq", "ne", "lt", "le", "gt", "ge"))
    __and__, __or__, __xor__ = map(method, ("and_", "or_", "xor"))
    __rand__, __ror__, __rxor__ = map(_reflected, ("and_", "or_", "xor"))
    __invert__ = method("not_")
    add, sub, mul, div, pow, matmul, eq, ne, lt, le, gt, ge = map(
        method, ("add", "sub", "mul", "div", "pow", "matmul", "eq", "ne", "lt", "le", "gt", "ge"))
    __getitem__, reshape, view, flatten, sum, mean = map(
        method, ("getitem", "reshape", "view", "flatten", "sum", "mean")
    )
    permute, transpose, expand, detach, float, where = map(
        method, ("permute", "transpose", "expand", "detach", "float", "where"))
    relu, sigmoid, tanh, exp, log, sqrt, abs, square = map(
        method, ("relu", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "square")
    )

    shape: tuple[int, ...]

    @property
    def size(self) -> Size:
        """The number of elements; called, as PyTorch's: `x.size()` is the shape."""
        return Size(self.shape)

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    nelement = numel

    def dim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    ndimension = dim

    @property
    def T(self) -> Any:
        """The transpose of a matrix."""
        return OPERATORS["t"](self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return OPERATORS["adjoint"](self)

    def __pos__(self) -> Any:
        return self

    contiguous = clone = __pos__  # tensors are immutable, so no copy is needed

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar has no length")
        return self.shape[0]

    __iter__ = _refusal(
        "a symbolic tensor cannot be iterated: compute with all of it at once, which is one step "
        "of the graph and not len(x) of them; single rows are x[0], x[1] or x[i] for i in range(n)")

    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refusal(
        "// and % are no steps of a graph: for sizes use x.shape, which holds plain numbers; for "
        "values write an fn.Function")
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refusal(
        "<< and >> are no steps of a graph: multiply or divide by a power of two")
    __bool__ = _refusal(
        f"a symbolic tensor has no truth value: {FORWARD}, so `if`, `while`, `and`, `or`, `not` "
        "and `assert` cannot ask for one; branch on shapes, or compute both sides and choose by a "
        "mask: fn.where(x > 0, a, b)")
    __contains__ = _refusal(
        f"`in` cannot look into a symbolic tensor: {FORWARD}; (x == value).sum() counts")
    __float__ = __int__ = __index__ = __complex__ = __round__ = __trunc__ = __floor__ = __ceil__ = (
        _refusal(f"a symbolic tensor is no Python number: {FORWARD}; compute with the tensor "
                 "itself, or return it and read the array that the call gives"))
    __setitem__ = __delitem__ = _refusal(
        "a symbolic tensor cannot be written to, as in x[:, 0] = 0: compute a new one, with a mask "
        "(x * mask, an array of 0 and 1) or with fn.cat of its parts")

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError(f"a symbolic tensor has no digits to print: {FORWARD}")
        return repr(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or kwargs or len(inputs) != 2:
            if kwargs.get("out"):
                raise TypeError("an array cannot take a symbolic tensor in place, as in a += x: "
                                "write a + x")
            raise TypeError(_instead(ufunc.__name__))
        return OPERATORS[name](*inputs)

    def __array_function__(self, function: Any, *_: Any) -> NoReturn:
        raise TypeError(_instead(function.__name__))


def _instead(name: str) -> str:
    """What to write instead of a function of NumPy."""
    known = _NAMES.get(name, f"fn.{name}" if name in OPERATORS else None)
    way = f"write {known}" if known else "write it with functions of fastnn, or as an fn.Function"
    return f"np.{name} takes arrays, and a symbolic tensor has no values: {way}"
