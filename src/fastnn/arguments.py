"""Checks of arguments of public functions, with errors that name the argument and the value.

Without them a wrong argument fails later, in an operator of Python or NumPy, with an error that
names neither the argument nor what was expected.
"""

from __future__ import annotations

import math
from numbers import Real
from operator import index
from typing import Any, TypeVar

import numpy as np

Kind = TypeVar("Kind")


def real(value: Any, name: str, expected: str = "a number", least: float = -math.inf,
         most: float = math.inf, above: float = -math.inf) -> float:
    """A finite real number in a range that `expected` describes.

    Raises TypeError if it is no real number, ValueError if it is out of range.

    >>> real(0.5, "p", "a number from 0 to 1", 0, 1)
    0.5
    >>> real("0.5", "p", "a number from 0 to 1", 0, 1)
    Traceback (most recent call last):
        ...
    TypeError: p must be a number from 0 to 1, got '0.5' (str)
    """
    others = Real, np.ndarray, np.generic, type
    if not isinstance(value, others) and hasattr(value, "__float__"):
        try:
            value = float(value)  # a symbolic tensor raises its own error here
        except ValueError:  # an array of several numbers
            raise TypeError(f"{name} must be {expected}, got {_shown(value)}") from None
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be {expected}, got {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer that no float can hold
        number = math.inf
    if not (least <= number <= most and number > above and math.isfinite(number)):
        raise ValueError(f"{name} must be {expected}, got {value}")
    return number


def integer(value: Any, name: str, expected: str = "an integer", least: float = -math.inf,
            most: float = math.inf) -> int:
    """An integer in a range that `expected` describes; raises like `real`.

    >>> integer(-1, "seed", "an integer from 0 on", 0)
    Traceback (most recent call last):
        ...
    ValueError: seed must be an integer from 0 on, got -1
    """
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} must be {expected}, got {_shown(value)}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be {expected}, got {value}")
    return number


def choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """One of several words; ValueError lists them; TypeError for what is no text."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {choices}, got {_shown(value)}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value


def flag(value: Any, name: str) -> bool:
    """True or False, from Python or NumPy; TypeError for all else, arrays too."""
    if not isinstance(value, (bool, int, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {_shown(value)}")
    return bool(value)


def instance(value: Kind, name: str, kind: type[Kind] | tuple[type, ...]) -> Kind:
    """An instance of a class; the TypeError says which class is expected."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        words = " or ".join(one.__name__ for one in kinds)
        hint = f"; an instance is needed: {value.__name__}(...)" \
            if isinstance(value, type) and issubclass(value, kind) else ""
        raise TypeError(f"{name} must be of class {words}, got {_shown(value)}{hint}")
    return value


def array_of(value: Any, name: str) -> np.ndarray:
    """A value as an array; ValueError for ragged lists."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array, or lists of one shape, got {_shown(value)}") \
            from None


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else f'{text[:57]}...'} ({type(value).__name__})"
