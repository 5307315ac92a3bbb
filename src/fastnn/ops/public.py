"""The registry of public operations: what is a function of `fastnn`, and what a tensor's method.

A module of `ops/` marks its functions with `operation`; importing `fastnn.ops` imports all of them.
`python -m tools.names` then writes the names into `ops/names.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastnn.operators import OPERATORS, Operators, method

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """A public function and the names of the methods of tensors that call it."""

    name: str
    function: Callable[..., Any]
    methods: tuple[str, ...] = ()


OPERATIONS: dict[str, Operation] = {}


def operation(*methods: str, name: str = "") -> Callable[[Function], Function]:
    """Make a function public: `fn.<name>`, and a method of tensors for each name in `methods`.

    name: by default the function's own.
    """
    def register(function: Function) -> Function:
        public = name or function.__name__
        assert public not in OPERATIONS, f"two operations are called {public}"
        OPERATIONS[public] = Operation(public, function, methods)
        for word in methods:
            OPERATORS[word] = function
            if word not in vars(Operators):
                setattr(Operators, word, method(word))
        return function

    return register
