"""What layers of a model read or return for arrays, without what comes after them.

As with hooks (docs/decisions/hooks.md), an observer finds the layers' values while the model is
traced. Here they are all that is asked of the plan: what only later layers need is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any
from weakref import WeakKeyDictionary

from fastnn.arguments import instance
from fastnn.engine.inference import Inference, run_module
from fastnn.engine.nesting import flat, like
from fastnn.engine.trace import Traced, trace
from fastnn.graph import Graph, as_tensor
from fastnn.nn.calls import Observer, observing
from fastnn.nn.module import Module


def find_layer(model: Module, layer: str, name: str = "layer") -> Module:
    """The module of a path of `named_modules`; ValueError lists the nearest paths.

    >>> from fastnn import nn
    >>> find_layer(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "2")
    Traceback (most recent call last):
        ...
    ValueError: layer is '2', and Sequential has no module of that path; the nearest are '0', '1'
    """
    instance(layer, name, str)
    paths = dict(model.named_modules(remove_duplicate=False))
    if layer in paths:
        return paths[layer]
    known = [path for path in paths if path]
    close = get_close_matches(layer, known, 3, 0.4) or known[-3:]
    words = f"the nearest are {', '.join(map(repr, close))}" if close else "it has none inside"
    raise ValueError(f"{name} is {layer!r}, and {type(model).__name__} has no module of that path; "
                     f"{words}")


class _Calls(Observer):
    """Keeps what some modules read and return at their last call."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self._wanted = {id(module) for module in modules}
        self.found: dict[int, tuple[Any, Any]] = {}

    def left(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        if id(module) in self._wanted:
            self.found[id(module)] = inputs, output


def called(model: Module, layers: Sequence[str], specs: Any) -> tuple[Traced, list[Any]]:
    """The traced model, and for each layer (inputs, output) of its last call, symbolic.

    Raises ValueError for a layer that the model does not call.
    """
    modules = [find_layer(model, layer) for layer in layers]
    calls = _Calls(modules)
    with observing(calls):
        traced = trace(model, specs)
    for layer, module in zip(layers, modules, strict=True):
        if id(module) not in calls.found:
            raise ValueError(f"layer {layer!r} is a {type(module).__name__} that "
                             f"{type(model).__name__} does not call for these inputs")
    return traced, [calls.found[id(module)] for module in modules]


class _LayerInference(Inference):
    """Computes what some layers of a module return, or what one reads."""

    def __init__(self, model: Module, layers: tuple[str, ...], reads: bool) -> None:
        super().__init__(model)
        self.wanted = layers, reads

    def _trace(self, specs: Any) -> Traced:
        (layers, reads), model = self.wanted, self._model()
        assert model is not None
        traced, calls = called(model, layers, specs)
        values = tuple(given if reads else output for given, output in calls)
        return replace(traced, output=like(values, [as_tensor(value) for value in flat(values)]))

    def _graph(self, traced: Traced) -> Graph:
        return self._unfolded(traced)  # a norm that is folded away has no values to read

    def output(self, specs: Any) -> Any:
        """The symbolic values."""
        return self._trace(specs).output


# Of each model for the layers that were asked for last: plans keep packed weights.
_known: WeakKeyDictionary[Module, _LayerInference] = WeakKeyDictionary()


class LayerValues:
    """What layers of a model return, in a tuple; or, with `reads`, what they are called with."""

    def __init__(self, model: Module, layers: Sequence[str], reads: bool = False) -> None:
        for layer in layers:
            find_layer(model, layer)
        self.model, self._wanted = model, (tuple(layers), reads)

    def __call__(self, *inputs: Any) -> Any:
        """The values for arrays."""
        return run_module(self.model, inputs, self._find)

    def output(self, specs: Any) -> Any:
        """The symbolic values for inputs of these specs."""
        return self._find(self.model).output(specs)

    def _find(self, model: Module) -> _LayerInference:
        known = _known.get(model)
        if known is None or known.wanted != self._wanted:
            known = _known[model] = _LayerInference(model, *self._wanted)
        return known
