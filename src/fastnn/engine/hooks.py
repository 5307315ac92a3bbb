"""A module called with arrays, and the hooks that read its layers' values; see
docs/decisions/hooks.md.

What hooks read become outputs of the plan. They are called with arrays once it has run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn.engine.compiled import Compiled
from fastnn.engine.inference import Inference, run_module
from fastnn.engine.nesting import like, tuple_like
from fastnn.engine.trace import Traced
from fastnn.graph import Graph, Tensor, as_tensor
from fastnn.nn.calls import Observer, has_hooks, observing
from fastnn.nn.module import Module, set_runner


@dataclass(frozen=True)
class _Event:
    """One hook to be called: with the inputs of a call, and with its output if it comes after.

    The module owns the hook; a plan keeps neither alive.
    """

    module: ref[Module]
    number: int
    values: tuple[Any, ...]

    def run(self, found: Mapping[Tensor, np.ndarray]) -> None:
        module = self.module()
        if module is None or self.number not in module.hooks:
            return
        hook, _ = module.hooks[self.number]
        result = hook(module, *_with_arrays(self.values, found))
        if result is not None:
            name = getattr(hook, "__qualname__", repr(hook))
            raise TypeError(f"the hook {name} of a {type(module).__name__} returned "
                            f"{type(result).__name__}: a hook reads values and returns None; to "
                            "change values write a module that computes them")


class _Recorder(Observer):
    """Notes the hooks of each call, in the order in which PyTorch calls them."""

    def __init__(self) -> None:
        self.events: list[_Event] = []

    def entered(self, module: Module, inputs: tuple[Any, ...]) -> None:
        self._note(module, False, inputs)

    def left(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._note(module, True, inputs, output)

    def _note(self, module: Module, wanted: bool, *values: Any) -> None:
        self.events += [_Event(ref(module), number, tuple(map(_symbolic, values)))
                        for number, (_, after) in module.hooks.items() if after == wanted]


class _Nesting(tuple[Any, ...]):
    """(the model's output, the tensors that hooks read), and the hooks."""

    events: list[_Event]


@dataclass(frozen=True)
class _Results:
    """The output of a model, with the hooks that are to be called."""

    output: Any
    events: list[_Event]
    found: Mapping[Tensor, np.ndarray]


def _symbolic(value: Any) -> Any:
    """A nested value with parameters and arrays as tensors."""
    if isinstance(value, (tuple, list)):
        return tuple_like(value, map(_symbolic, value))
    if isinstance(value, dict):
        return {name: _symbolic(inner) for name, inner in value.items()}
    known = hasattr(value, "__tensor__") or isinstance(value, (np.ndarray, np.generic))
    return as_tensor(value) if known else value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [tensor for inner in value for tensor in _tensors(inner)]
    return [value] if isinstance(value, Tensor) else []


def _with_arrays(value: Any, found: Mapping[Tensor, np.ndarray]) -> Any:
    if isinstance(value, tuple):
        return tuple_like(value, (_with_arrays(inner, found) for inner in value))
    if isinstance(value, dict):
        return {name: _with_arrays(inner, found) for name, inner in value.items()}
    return found[value] if isinstance(value, Tensor) else value


class HookedInference(Inference):
    """Computes the outputs of a module with hooks, and what those read."""

    def _trace(self, specs: Any) -> Traced:
        recorder = _Recorder()
        with observing(recorder):
            traced = super()._trace(specs)
        tensors = tuple(dict.fromkeys(
            tensor for event in recorder.events for tensor in _tensors(event.values)))
        nesting = _Nesting((traced.output, tensors))
        nesting.events = recorder.events
        return replace(traced, output=nesting)

    def _graph(self, traced: Traced) -> Graph:
        return self._unfolded(traced)  # a norm that is folded away has no values to read

    def _nested(self, compiled: Compiled, arrays: Sequence[np.ndarray]) -> Any:
        output, values = like(compiled.nesting, arrays)
        found = dict(zip(compiled.nesting[1], values, strict=True))
        return _Results(output, compiled.nesting.events, found)


_known: WeakKeyDictionary[Module, HookedInference] = WeakKeyDictionary()


def _hooked(model: Module) -> Inference:
    if model not in _known:
        _known[model] = HookedInference(model)
    return _known[model]


def run_with_hooks(model: Module, inputs: Sequence[Any]) -> Any:
    """The output of a module for arrays; its hooks have been called when it returns."""
    if not has_hooks(model):
        return run_module(model, inputs)
    results = run_module(model, inputs, _hooked)
    for event in results.events:
        event.run(results.found)
    return results.output


set_runner(run_with_hooks)
