"""Losses are plain numbers; errors explain what to use instead of a PyTorch loss's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn.habits import habit

_NAME = "a loss is a plain number here: it"


class LossValue(float):
    """A float.

    >>> loss = LossValue(0.25)
    >>> loss, loss + 1, loss.item()
    (0.25, 1.25, 0.25)
    >>> loss.backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AttributeError: a loss is a plain number here: it has no attribute 'backward': TrainStep(...
    """

    __slots__ = ()

    def item(self) -> float:
        """The float itself, like `item` of a PyTorch tensor."""
        return float(self)

    def __reduce__(self) -> Any:
        return float, (float(self),)

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(habit(_NAME, name))


class LossArray(np.ndarray):
    """An array without axes; results of arithmetic with it are ordinary numbers."""

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array)[()]

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(habit(_NAME, name))


def as_result(array: np.ndarray) -> np.ndarray:
    """The array as a called module returns it: a LossArray if it has no axes."""
    return array if array.shape else array.view(LossArray)
