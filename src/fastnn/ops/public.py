"""The registry of public operations: what is a function of `fastnn`, and what a tensor's method.

A module of `ops/` marks its functions with `operation`; importing `fastnn.ops` imports all of them.
`python -m tools.names` then writes the names into `ops/names.py`. Called with arrays outside of a
forward, a public function computes at once (`engine/at_once.py`, which registers how).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar, cast

import numpy as np

from fastnn.context import tracing
from fastnn.operators import OPERATORS, Operators, method

Function = TypeVar("Function", bound=Callable[..., Any])
_runner: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Operation:
    """A public function and the names of the methods of tensors that call it."""

    name: str
    function: Callable[..., Any]
    methods: tuple[str, ...] = ()


OPERATIONS: dict[str, Operation] = {}


def set_runner(runner: Callable[..., Any]) -> None:
    """Set what computes a function of arrays: runner(function, args, options)."""
    global _runner
    _runner = runner


def operation(
    *methods: str, name: str = "", by_value: bool = False
) -> Callable[[Function], Function]:
    """Make a function public: `fn.<name>`, and a method of tensors for each name in `methods`.

    name: by default the function's own. by_value: the result's shape may depend on the values of
    arrays, which are constants then when it computes at once.
    """
    def register(function: Function) -> Function:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if _runner is None or tracing() or not _of_arrays((*args, *options.values())):
                return function(*args, **options)
            if by_value:
                return _runner(partial(function, *args, **options), (), {})
            return _runner(function, args, options)

        public = name or function.__name__
        assert public not in OPERATIONS, f"two operations are called {public}"
        OPERATIONS[public] = Operation(public, call, methods)
        for word in methods:
            OPERATORS[word] = function
            if word not in vars(Operators):
                setattr(Operators, word, method(word))
        return cast(Function, call)

    return register


def _of_arrays(values: Any) -> bool:
    """Whether there are arrays among the values, and nothing symbolic."""
    found = False
    for value in values:
        if isinstance(value, np.ndarray):
            found = True
        elif isinstance(value, (tuple, list)):
            if value and not isinstance(value[0], int):
                inner = _of_arrays(value)
                if not inner and any(hasattr(part, "__tensor__") for part in value):
                    return False
                found = found or inner
        elif hasattr(value, "__tensor__"):
            return False
    return found
