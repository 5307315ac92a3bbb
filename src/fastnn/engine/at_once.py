"""Operations called with arrays outside of a forward: they compute at once and return arrays.

Each function and its plain arguments have a small cache of plans, as a model has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastnn.context import updates
from fastnn.engine.compiled import Compiled
from fastnn.engine.inputs import specs_of
from fastnn.engine.loss_value import as_result
from fastnn.engine.memory_limit import memory_limit
from fastnn.engine.nesting import flat
from fastnn.engine.plan_cache import PlanCache
from fastnn.frozen.watch import watched
from fastnn.graph import Graph, Tensor, as_tensor
from fastnn.ops.boundary import array_input
from fastnn.ops.public import set_runner
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import streams
from fastnn.runtime.shared import free_arena
from fastnn.spec import FLOAT, INDEX

CALLS_KEPT = 64  # functions with their plain arguments


class _Place:
    """Where an array stands in a call's arguments."""


_PLACE = _Place()


def _taken_out(value: Any, arrays: list[np.ndarray]) -> Any:
    """The arguments with a mark in place of each array; the arrays are added to a list."""
    if isinstance(value, np.ndarray):
        arrays.append(_converted(value))
        return _PLACE
    if isinstance(value, (tuple, list)):
        return type(value)(_taken_out(inner, arrays) for inner in value)
    return value


def _converted(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of numbers, got dtype {array.dtype}")
    dtype = INDEX if array.dtype.kind in "iu" else FLOAT
    return np.ascontiguousarray(array, dtype).reshape(array.shape)


def _put_back(value: Any, tensors: Iterator[Tensor]) -> Any:
    if value is _PLACE:
        return next(tensors)
    if isinstance(value, (tuple, list)):
        return type(value)(_put_back(inner, tensors) for inner in value)
    return value


def _key(value: Any) -> Any:
    """Something hashable that differs for other arguments; of one type, as 1 == 1.0 == True."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_key, value))
    return type(value), value


def _rebuilt(value: Any, results: Iterator[np.ndarray]) -> Any:
    """Results in the nesting of what a function returned, named tuples included."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_rebuilt(inner, results) for inner in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_rebuilt(inner, results) for inner in value)
    return next(results)


class _Call:
    """A function with its plain arguments, and its plans by the shapes of the arrays."""

    def __init__(self, function: Callable[..., Any], args: Any, options: Any) -> None:
        self.function, self.args, self.options = function, args, options
        self.cache = PlanCache(tuple)

    def make(self, specs: tuple[Any, ...]) -> Compiled:
        pairs = [array_input(number, spec, "NCHW") for number, spec in enumerate(specs)]
        tensors = iter([tensor for _, tensor in pairs])
        with updates() as effects, streams(), watched(self.function):
            args = _put_back(self.args, tensors)
            options = {name: _put_back(value, tensors) for name, value in self.options}
            output = self.function(*args, **options)
        results = [as_tensor(value) for value in flat(output)]
        graph = Graph.trace([raw for raw, _ in pairs], results, effects, results)
        return Compiled(graph, memory_limit(), specs, output, free_arena())

    def __call__(self, arrays: tuple[np.ndarray, ...]) -> Any:
        compiled = self.cache.get(specs_of(arrays), self.make, memory_limit())
        compiled.bind(arrays)
        count = len(flat(compiled.nesting))
        results = compiled.run(lambda plan: [plan.read(place) for place in range(count)])
        compiled.executor.release_inputs()
        return _rebuilt(compiled.nesting, map(as_result, results))


_calls: OrderedDict[Any, _Call] = OrderedDict()


def run(function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What a function of tensors gives for arrays, as arrays."""
    arrays: list[np.ndarray] = []
    plain = tuple(_taken_out(value, arrays) for value in args)
    named = tuple((name, _taken_out(value, arrays)) for name, value in options.items())
    key = function, _key(plain), _key(named)
    with process_lock:
        try:
            call = _calls.pop(key, None) or _Call(function, plain, named)
        except TypeError:  # an argument that is not hashable
            return _Call(function, plain, named)(tuple(arrays))
        _calls[key] = call
        while len(_calls) > CALLS_KEPT:
            _calls.popitem(last=False)
        return call(tuple(arrays))


set_runner(run)
