"""Tracing: a module's forward runs once on symbolic tensors and leaves a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import choice
from fastnn.context import updates
from fastnn.engine.nesting import flat, like
from fastnn.frozen.watch import watched
from fastnn.graph import Node, Tensor, as_tensor
from fastnn.nn.module import Module, layer_paths
from fastnn.ops.boundary import array_input
from fastnn.runtime.random import streams
from fastnn.spec import Spec


@dataclass(frozen=True)
class Traced:
    """What a module computes: leaves for its arrays, its output, and changes of state."""

    inputs: tuple[Tensor, ...]
    output: Any
    updates: tuple[Node, ...]


def trace(
    function: Any, specs: Sequence[Any], layout: str = "NCHW", first_input: int = 0
) -> Traced:
    """Run a module's forward on symbolic tensors. A spec may be a tuple or a dict of specs."""
    choice(layout, "layout", ("NCHW", "NHWC"))
    leaves: list[Tensor] = []

    def symbolic(spec: Any) -> Any:
        if isinstance(spec, Spec):
            raw, tensor = array_input(first_input + len(leaves), spec, layout)
            leaves.append(raw)
            return tensor
        if isinstance(spec, dict):
            return {name: symbolic(spec[name]) for name in sorted(spec)}
        return tuple(symbolic(inner) for inner in spec)

    arguments = [symbolic(spec) for spec in specs]
    with updates() as collected, streams(), watched(function):
        if isinstance(function, Module):
            with layer_paths(function):
                output = function(*arguments)
        else:
            output = function(*arguments)
    if output is None:
        raise TypeError(f"{_name(function)} must return a tensor, or a tuple or dict of tensors, "
                        "got None: is a `return` missing?")
    output = like(output, [as_tensor(value) for value in flat(output)])
    return Traced(tuple(leaves), output, tuple(collected))


def _name(function: Any) -> str:
    if isinstance(function, Module):
        return f"forward of {type(function).__name__}"
    return getattr(getattr(function, "__wrapped__", function), "__qualname__", "the loss")
