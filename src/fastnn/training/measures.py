"""The metrics of a training: of a model's output, or of each of several, as the loss weighs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.metrics import Accuracy, Metric, metric
from fastnn.metrics.metric import spread

Output = tuple[int, Any]  # place and name
OWN = ("epoch", "loss", "lr", "seconds")  # other figures of the history


class Measures:
    """Metrics by the names of their figures.

    metrics: None for accuracy where it is defined; a name, a metric or a function, or a list of
    them; for several outputs a list of such lists, or {name of an output: such a list}, in their
    order if the model returns no dict. threshold: see `fastnn.metrics.metric`.
    """

    def __init__(self, metrics: Any = None, threshold: float | None = None) -> None:
        self.outputs: list[Any] = []  # their names; none for metrics of a single output
        self._entries: list[tuple[Output | None, str, Metric]] = []
        if metrics is None:
            self._add(None, "", [Accuracy(where_defined=True)], threshold)
        elif isinstance(metrics, Mapping):
            self._add_each(metrics, threshold)
        elif isinstance(metrics, (list, tuple)) and any(
                isinstance(each, (list, tuple)) for each in metrics):
            self._add_each({f"output{i}": each for i, each in enumerate(metrics)}, threshold)
        else:
            self._add(None, "", metrics, threshold)

    def _add_each(self, metrics: Mapping[Any, Any], threshold: float | None) -> None:
        self.outputs = list(metrics)
        for place, (name, each) in enumerate(metrics.items()):
            self._add((place, name), f"{name}_", [] if each is None else each, threshold)

    def _add(
        self, output: Output | None, prefix: str, metrics: Any, threshold: float | None
    ) -> None:
        for each in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
            made = metric(each, threshold)
            name = prefix + made.name
            if name in OWN or name.startswith("validation_"):
                raise ValueError(f"a metric is named {name!r}, which the history has for another "
                                 "figure; give it another name")
            if name in self.named:
                raise ValueError(f"two metrics are named {name!r}; give one another name")
            self._entries.append((output, name, made))

    @property
    def named(self) -> dict[str, Metric]:
        """The metrics by the names of their figures."""
        return {name: each for _, name, each in self._entries}

    @property
    def are_simple(self) -> bool:
        """Whether they are accuracies, the memory of whose updates is known."""
        return all(type(each) is Accuracy for each in self.named.values())

    @property
    def are_checked(self) -> bool:
        """Whether outputs and targets may fail to fit them."""
        return any(not getattr(each, "where_defined", False) for each in self.named.values())

    def fresh(self) -> Measures:
        """The same metrics without batches."""
        other = Measures([])
        other.outputs = self.outputs
        other._entries = [(output, name, each.fresh()) for output, name, each in self._entries]
        return other

    def reset(self) -> None:
        """Forget all batches."""
        for each in self.named.values():
            each.reset()

    def check(self, outputs: Any, targets: Any, ignored: int) -> None:
        """Raise ValueError unless outputs, arrays or tensors, and a batch's targets fit.

        Targets that are `ignored` are left out.
        """
        self._check_outputs(outputs)
        for output, name, each in self._entries:
            its, target = _of(outputs, output), _of(targets, output)
            if _are_several(its) or _are_several(target):
                continue
            target = np.asarray(target)
            if target.dtype.kind in "iu":
                target = np.where(target == ignored, 0, target)
            try:
                each.check(its.shape, target)
            except ValueError as error:
                raise ValueError(f"the metric {name} does not fit: {error}") from error

    def _check_outputs(self, outputs: Any) -> None:
        count = len(outputs) if _are_several(outputs) else 1
        if self.outputs and isinstance(outputs, dict):
            missing = [name for name in self.outputs if name not in outputs]
            if missing:
                raise ValueError(f"metrics are for an output {missing[0]!r}, the model has "
                                 f"{', '.join(map(str, outputs))}")
        elif self.outputs and count != len(self.outputs):
            raise ValueError(f"metrics are for {len(self.outputs)} outputs, the model has {count}")
        elif count > 1 and not self.outputs:
            for name, each in self.named.items():
                if not each.joins_outputs and not getattr(each, "where_defined", False):
                    raise ValueError(f"the metric {name} is for one output, the model has {count}: "
                                     "give metrics of each, {'name': [...], ...} in their order")

    def update(
        self, outputs: Any, targets: Any, weight: Any, ignored: int, soft: bool = False
    ) -> None:
        """Count a batch.

        weight: of each example, or None. Class numbers that are `ignored` do not count. soft:
        whether targets are probabilities of classes, of which accuracy takes the largest.
        """
        weights: dict[Any, Any] = {}
        for output, name, each in self._entries:
            its, target = _of(outputs, output), _of(targets, output)
            if _are_several(its) or _are_several(target):
                if each.joins_outputs:
                    each.update(its, target, weight)
                elif not getattr(each, "where_defined", False):
                    raise ValueError(f"the metric {name} is for one output and one target")
                continue
            if output not in weights:
                weights[output] = counting(np.asarray(target), weight, ignored)
            if soft and getattr(each, "where_defined", False) and np.ndim(target) > 1:
                target = np.asarray(target).argmax(axis=1)
            each.update(its, target, weights[output])

    def figures(self, *names: str) -> dict[str, Any]:
        """The values that are defined, or those named of them: floats and arrays.

        Raises FloatingPointError for a float that is not finite.
        """
        found = {}
        for name, each in self.named.items():
            value = each.value() if not names or name in names else None
            if value is not None:
                found[name] = value if isinstance(value, np.ndarray) else float(value)
                if isinstance(found[name], float) and not math.isfinite(found[name]):
                    raise FloatingPointError(f"the metric {name} is {found[name]}")
        return found


def counting(target: np.ndarray, weight: Any, ignored: int) -> Any:
    """The weight of each target, those that are `ignored` left out; None if all count alike.

    >>> counting(np.array([1, -100]), None, -100), counting(np.array([1, 2]), None, -100)
    (array([ True, False]), None)
    """
    if target.dtype.kind not in "iu":
        return weight
    counts = target != ignored
    if counts.all():
        return weight
    return counts if weight is None else spread(weight, target.shape, "metrics") * counts


def _of(values: Any, output: Output | None) -> Any:
    """What belongs to one output: of a dict by name, else by place; one target may be that of all.
    """
    if output is None or not _are_several(values):
        return values
    return values[output[1]] if isinstance(values, dict) else values[output[0]]


def _are_several(values: Any) -> bool:
    return isinstance(values, (tuple, list, dict))


def scalars(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that a history holds: those that are no arrays."""
    return {name: value for name, value in figures.items() if not isinstance(value, np.ndarray)}
