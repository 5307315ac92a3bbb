"""A number that may change between steps without a new plan."""

from __future__ import annotations

import numpy as np

from fastnn.graph import Tensor, leaf
from fastnn.nn.value import Value
from fastnn.runtime.arena import aligned_array
from fastnn.spec import FLOAT, Shape, Spec

LARGEST = float(np.finfo(FLOAT).max)


class Variable(Value):
    """A number that may change between steps: `forward` and a loss use it as a scalar tensor.

    value: a real number, kept as float32. Plans read it in place, so setting `.value` between steps
    makes no new plan; a plain number would keep the value that it had when `forward` was traced. It
    may be an attribute of a module, a global or a variable around a loss. It is not a parameter: it
    has no gradient, and like any option of a layer it is not in a state_dict or checkpoint; set it
    again when you resume. Outside of a forward it compares and converts like its value.

    Raises TypeError if it is no number, ValueError for one that float32 cannot hold.

    >>> import numpy as np, fastnn as fn
    >>> beta = Variable(0.5)
    >>> model, x = fn.nn.Linear(2, 1), np.ones((1, 2), np.float32)
    >>> loss = fn.value_and_grad(model, lambda output, target: beta * (output * 0 + target).sum())
    >>> loss(x, x[:, :1])[0]
    0.5
    >>> beta.value = 2
    >>> loss(x, x[:, :1])[0]
    2.0
    """

    def __init__(self, value: float) -> None:
        self.memory = aligned_array((), FLOAT)
        self._leaf = leaf("buffer", self, Spec(()))
        self.value = value

    @property
    def value(self) -> float:
        """The number; it may be set, between steps."""
        return float(self.memory)

    @value.setter
    def value(self, number: float) -> None:
        if isinstance(number, np.ndarray) and number.ndim == 0:
            number = number.item()
        if not isinstance(number, (int, float, np.integer, np.floating, np.bool_)):
            raise TypeError(f"a Variable holds a number, got {type(number).__name__}")
        if not -LARGEST <= number <= LARGEST:
            raise ValueError(f"a Variable holds a finite float32, got {number}")
        self.memory[...] = number

    @property
    def data(self) -> np.ndarray:  # type: ignore[override]
        """The number as an array without axes."""
        return self.memory

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        return ()

    def __tensor__(self) -> Tensor:
        return self._leaf

    def __repr__(self) -> str:
        return f"Variable({self.value!r})"
