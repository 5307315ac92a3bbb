"""A loss for each of a model's outputs, and their weighted sum."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import Tensor
from fastnn.nn.containers import ModuleDict
from fastnn.nn.module import Module
from fastnn.nn.variable import Variable
from fastnn.ops.loss_part import loss_part


def accepts(loss: Any, count: int) -> bool:
    """Whether a loss may be called with so many values; True where nobody knows."""
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, Module) else loss)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


class _Function(Module):
    """A loss that is a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function  # type: ignore[method-assign]


class Losses(Module):
    """The sum of a loss for each of a model's outputs, as Keras' compile(loss=, loss_weights=).

    Σ weight * loss(output, target)

    losses: by name, for a model that returns a dict, or a list, for one that returns a tuple. Each
    is a module or function of (output, target), or of the output alone. Targets come as outputs do:
    as a dict, or a tuple, of those that a loss asks for. Outputs without a loss are left alone.
    weights: numbers, or fn.Variables, which may change between steps, by the same names or in the
    same order; a loss without one weighs 1. A TrainStep reports each loss, not weighted, in its
    loss_parts, by its name or number.

    A batch counts by its examples, where losses are summed up over batches or micro-batches: exact
    for means over all examples, and not where a loss ignores some. A single loss counts as it does
    alone.

    Raises TypeError and ValueError for losses, weights, outputs or targets that do not fit.

    >>> import numpy as np, fastnn as fn
    >>> loss = Losses({"digit": fn.nn.CrossEntropyLoss(), "size": fn.nn.MSELoss()}, {"size": 0.5})
    >>> class Heads(fn.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.digit, self.size = fn.nn.Linear(4, 10), fn.nn.Linear(4, 1)
    ...     def forward(self, x):
    ...         return {"digit": self.digit(x), "size": self.size(x)}
    >>> model = Heads()
    >>> step = fn.TrainStep(model, loss, fn.optim.SGD(model.parameters(), lr=0.1))
    >>> x = np.ones((2, 4), np.float32)
    >>> total = step(x, {"digit": np.array([3, 7]), "size": np.ones((2, 1), np.float32)})
    >>> sorted(step.loss_parts)
    ['digit', 'size']
    """

    def __init__(self, losses: Any, weights: Any = None) -> None:
        super().__init__()
        self.by_name = isinstance(losses, Mapping)
        if not losses or not (self.by_name or isinstance(losses, (list, tuple))):
            raise TypeError(f"losses must be a dict or a list of losses, got {losses!r:.60}")
        named = losses if self.by_name else {str(i): loss for i, loss in enumerate(losses)}
        for name, loss in named.items():
            if not callable(loss) or isinstance(loss, type):
                raise TypeError(f"losses[{name!r}] must be a module or a function, got "
                                f"{loss!r:.60}")
        self.losses = ModuleDict({name: loss if isinstance(loss, Module) else _Function(loss)
                                  for name, loss in named.items()})
        self.weights = self._checked_weights(weights)

    def _checked_weights(self, weights: Any) -> dict[str, float | Variable]:
        if weights is None:
            return dict.fromkeys(self.losses, 1.0)
        kind: Any = Mapping if self.by_name else (list, tuple)
        if not isinstance(weights, kind):
            raise TypeError(f"weights must come as the losses do, as a "
                            f"{'dict' if self.by_name else 'list'}, got {weights!r:.60}")
        given = weights if self.by_name else {str(i): weight for i, weight in enumerate(weights)}
        if set(given) - set(self.losses) or (not self.by_name and len(given) < len(self.losses)):
            raise ValueError(f"weights are for {list(given)}, losses for {list(self.losses)}")
        return {name: weight if isinstance(weight, Variable) else real(weight, f"weight {name!r}")
                for name in self.losses for weight in [given.get(name, 1.0)]}

    def of_outputs(self, output: Any) -> Iterator[tuple[str, Module, Any]]:
        """(name, loss, output) for each loss."""
        outputs = self._named("output", output, list(self.losses))
        for name, loss in self.losses.items():
            yield name, loss, outputs[name]

    def with_target(self) -> list[str]:
        """The names of the losses that take a target."""
        return [name for name, loss in self.losses.items() if accepts(loss, 2)]

    def forward(self, output: Any, target: Any = ()) -> Tensor:
        every = list(self.of_outputs(output))
        targets = self._named("target", target, self.with_target())
        total: Any = None
        for name, loss, value in every:
            part = loss_part(name, loss(value, *([targets[name]] if name in targets else ())))
            weight = self.weights[name]
            term = part * weight if isinstance(weight, Variable) or weight != 1 else part
            total = term if total is None else total + term
        return total  # type: ignore[no-any-return]

    def _named(self, what: str, values: Any, names: Sequence[str]) -> Mapping[str, Any]:
        """Outputs or targets by the names of the losses that take them."""
        if not names:
            return {}
        got = (f"a dict with {list(values)}" if isinstance(values, Mapping) else
               f"a tuple of {len(values)}" if isinstance(values, (list, tuple)) else "one tensor")
        if self.by_name:
            if not isinstance(values, Mapping) or set(names) - set(values):
                raise ValueError(f"Losses: the {what} must be a dict with {list(names)}, got {got}")
            return {name: values[name] for name in names}
        if not isinstance(values, (list, tuple)) or len(values) != len(names):
            raise ValueError(f"Losses: the {what} must be a tuple of {len(names)}, got {got}")
        return dict(zip(names, values, strict=True))

    @property
    def reduction(self) -> str:
        """"sum" if all losses are sums over examples, else "mean"."""
        every = {getattr(loss, "reduction", "mean") for loss in self.losses.values()}
        return "sum" if every == {"sum"} else "mean"

    def count(self, target: Any) -> float:
        """The weight of a batch in a mean over batches; see above."""
        arrays = list(self._named("target", target, self.with_target()).values())
        (first, *others) = self.losses.values()
        if not others and hasattr(first, "count"):
            return float(first.count(arrays[0]))
        return float(len(np.asarray(arrays[0])))
