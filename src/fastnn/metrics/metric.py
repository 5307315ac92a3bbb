"""What a metric is: sums over batches, from which its value follows."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

LARGEST = 2.0**1000  # of a sum in a checkpoint, far from where floats end


class Metric:
    """Base class of metrics: `update` with batches, then read `value`.

    A subclass names its sums, with what they are at first, in `initial`: numbers, or None for
    arrays; a checkpoint holds them. The value is that of all batches as one, whatever their sizes.
    name: of the figure in the history. joins_outputs: whether it takes a tuple of all outputs and
    all targets, of a model with several.

    >>> class Largest(Metric):
    ...     initial = {"found": 0.0}
    ...     def update(self, output, target, weight=None):
    ...         self.found = max(self.found, float(output.max()))
    ...     def value(self):
    ...         return self.found
    >>> largest = Largest("largest")
    >>> largest.update(np.array([[1.0], [3.0]]), np.zeros(2))
    >>> largest.value(), largest.state_dict()
    (3.0, {'found': 3.0})
    """

    initial: ClassVar[dict[str, Any]] = {}
    joins_outputs: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be the name of a figure, got {name!r:.60}")
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        for name, value in self.initial.items():
            setattr(self, name, value)

    def fresh(self) -> Metric:
        """Another metric like this, without batches."""
        other = copy.deepcopy(self)
        other.reset()
        return other

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        """Raise ValueError unless outputs of this shape and a target fit this metric."""

    def update(self, output: np.ndarray, target: np.ndarray, weight: Any = None) -> None:
        """Count a batch.

        output: (n, ...), of a model. target: as the loss gets it. weight: None, or of each example
        (n,) or each target, numbers from 0 on, or a mask of what counts.
        """
        raise NotImplementedError(f"{type(self).__name__} needs an update")

    def value(self) -> Any:
        """A float, or an array, of all batches since `reset`; None if nothing counted."""
        raise NotImplementedError(f"{type(self).__name__} needs a value")

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {name: getattr(self, name) for name in self.initial}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take sums of `state_dict`; ValueError, and nothing changes, for others."""
        if not isinstance(state, dict) or set(state) != set(self.initial):
            raise ValueError(f"{self.name}: a state of {state!r:.60}, expected "
                             f"{', '.join(self.initial)}")
        for name, value in state.items():
            own = self.initial[name]
            fits = (value is None or isinstance(value, np.ndarray)) if own is None else (
                type(value) in (int, float) and abs(value) < LARGEST)
            if not fits:
                raise ValueError(f"{self.name}: {name} is {value!r:.60}, expected "
                                 f"{'an array' if own is None else 'a finite number'}")
        for name, value in state.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def spread(weight: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Weights of examples, or of targets, as weights of values of a shape; a view.

    >>> spread(np.array([1.0, 2.0]), (2, 3), "accuracy").tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    weight = np.asarray(weight)
    if weight.shape != shape[:weight.ndim] or not weight.ndim:
        raise ValueError(f"{name}: weights of shape {weight.shape} do not fit targets {shape}")
    return np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)


def total(values: np.ndarray, weight: np.ndarray | None) -> float:
    """The sum of values, or of values times weights, in float64.

    >>> total(np.array([1.0, 2.0]), np.array([True, False])), total(np.array([True, True]), None)
    (1.0, 2)
    """
    if values.dtype == bool and (weight is None or weight.dtype == bool):
        return int(np.count_nonzero(values if weight is None else values & weight))
    if weight is None:
        return float(np.sum(values, dtype=np.float64))
    if values.dtype == bool:
        values, weight = weight, values
    if weight.dtype == bool:
        return float(np.sum(values, dtype=np.float64, where=weight))
    return float(np.sum(values * weight.astype(np.float64)))


def count(shape: tuple[int, ...], weight: np.ndarray | None) -> float:
    """How many values of a shape count, or what they weigh."""
    return math.prod(shape) if weight is None else total(np.ones(shape, bool), weight)


class Mean(Metric):
    """The mean of a function over examples.

    function: of (output, target), which returns the batch's mean, or a number for each example;
    only those are weighed by example, a mean counts as much as its examples together.

    >>> largest = Mean(lambda output, target: output.max(axis=1), name="largest")
    >>> largest.update(np.eye(2), np.arange(2))
    >>> largest.value()
    1.0
    """

    initial: ClassVar[dict[str, Any]] = {"sum": 0.0, "weight": 0.0}
    joins_outputs = True
    sum: float
    weight: float

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"a metric is a function of (output, target), got {function!r:.60}")
        self.function = function
        super().__init__(name or str(getattr(function, "__name__", type(function).__name__)))

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        values = np.asarray(self.function(output, target))
        first = target
        while isinstance(first, (tuple, list, dict)):
            first = next(iter(first.values() if isinstance(first, dict) else first))
        examples = len(first)
        if values.dtype.kind not in "buif" or values.shape not in ((), (examples,)):
            raise TypeError(f"the metric {self.name} must return a number, or one for each of "
                            f"{examples} examples, got {values!r:.60}")
        if not np.isfinite(values).all():
            raise FloatingPointError(f"the metric {self.name} is {values!s:.60}")
        weights = np.ones(examples) if weight is None else np.asarray(weight, np.float64)
        weights = weights.reshape(examples, -1).mean(axis=1)
        self.sum += total(np.broadcast_to(values, examples), weights)
        self.weight += float(weights.sum())

    def value(self) -> float | None:
        return self.sum / self.weight if self.weight else None
