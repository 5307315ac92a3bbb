"""Gradients by name, as `value_and_grad` returns them, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from fastnn.foreign import as_array
from fastnn.nn.parameter import Parameter
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.several import parameters_in
from fastnn.spec import FLOAT, ShapeError

_EXPECTED = ("optimizer.step takes gradients as fn.value_and_grad returns them, a dict by name, or "
             "a list in the order of the optimizer's parameters")
Found = tuple[str, Parameter, np.ndarray]


class Gradients(dict[str, np.ndarray]):
    """{parameter name: gradient}, an ordinary dict that also knows the parameters.

    unreached: the names of those that the loss does not depend on, whose gradients are zeros; an
    optimizer leaves them as they are.
    """

    def __init__(
        self, values: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter],
        unreached: Set[str] = frozenset(),
    ) -> None:
        super().__init__(values)
        self.parameters, self.unreached = parameters, unreached

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def remember_names(parameters: Mapping[str, Parameter]) -> None:
    """Let parameters know the names under which their gradients are handed out.

    So they are found by a dict that somebody made of `Gradients`.
    """
    for name, parameter in parameters.items():
        parameter.names |= {name}


def gradients_for(optimizer: Optimizer, grads: Any) -> dict[int, Found]:
    """{place among the optimizer's parameters: (name, parameter, gradient)} of those to be changed.

    grads: see `Optimizer.step`. Those of other parameters are left out, and of what is frozen.
    Raises TypeError, ValueError, ShapeError.
    """
    parameters = parameters_in(optimizer)
    if isinstance(grads, Mapping):
        given = _by_key(optimizer, parameters, grads)
    elif isinstance(grads, (list, tuple)):
        given = _in_order(parameters, grads)
    else:
        raise TypeError(f"{_EXPECTED}; got {type(grads).__name__}")
    found = {}
    for place in sorted(given):
        name, value = given[place]
        parameter = parameters[place]
        if value is not None and parameter.requires_grad:
            found[place] = name, parameter, _array(value, name, parameter)
    return found


def _array(value: Any, name: str, parameter: Parameter) -> np.ndarray:
    """A gradient as a float32 array of its parameter's shape."""
    what = f"the gradient of {name}"
    array = as_array(value, what)
    if array.shape != parameter.shape:
        raise ShapeError(f"{what} has shape {array.shape}, expected {parameter.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # infinity will be reported
        return array if array.dtype == FLOAT else array.astype(FLOAT)


def _in_order(parameters: Sequence[Parameter], grads: Sequence[Any]) -> dict[int, tuple[str, Any]]:
    """Gradients in the order of all parameters, or of those that are trained."""
    places = list(range(len(parameters)))
    if len(grads) != len(places):
        places = [place for place in places if parameters[place].requires_grad]
    if len(grads) != len(places):
        raise ValueError(f"{len(grads)} gradients for {len(parameters)} parameters, of which "
                         f"{len(places)} are trained; None stands for one without a gradient")
    return {place: (_name(parameters[place], place), grad)
            for place, grad in zip(places, grads, strict=True)}


def _name(parameter: Parameter, place: int) -> str:
    return min(parameter.names, default=f"parameter {place}")


def _by_key(
    optimizer: Optimizer, parameters: Sequence[Parameter], grads: Mapping[Any, Any]
) -> dict[int, tuple[str, Any]]:
    """Gradients by name, or by parameter."""
    places = {id(parameter): place for place, parameter in enumerate(parameters)}
    owners = grads.parameters if isinstance(grads, Gradients) else {}
    unreached = grads.unreached if isinstance(grads, Gradients) else frozenset()
    named = _by_name(parameters)
    found: dict[int, tuple[str, Any]] = {}
    for key, grad in grads.items():
        if isinstance(key, Parameter):
            place = places.get(id(key))
        elif not isinstance(key, str):
            raise TypeError(f"{_EXPECTED}; got a dict with a key of type {type(key).__name__}")
        elif key in owners:
            place = places.get(id(owners[key]))
        else:
            place = _only_one(key, named.get(key, ()))
        if place is None:
            continue
        name = key if isinstance(key, str) else _name(key, place)
        if place in found:
            raise ValueError(f"two gradients of one parameter: {found[place][0]} and {name}")
        found[place] = name, None if key in unreached else grad
    if not found:
        raise ValueError(_nothing_found(optimizer, parameters, grads))
    return found


def _by_name(parameters: Sequence[Parameter]) -> dict[str, list[int]]:
    """The places of parameters by the names under which gradients were handed out."""
    named: dict[str, list[int]] = {}
    for place, parameter in enumerate(parameters):
        for name in parameter.names:
            named.setdefault(name, []).append(place)
    return named


def _only_one(name: str, places: Sequence[int]) -> int | None:
    if len(places) > 1:
        raise ValueError(f"{len(places)} of the optimizer's parameters are called {name}, in "
                         "different models: give it the dict that value_and_grad returned, or a "
                         "dict by parameter, {model.get_parameter(name): gradient, ...}")
    return places[0] if places else None


def _nothing_found(
    optimizer: Optimizer, parameters: Sequence[Parameter], grads: Mapping[Any, Any]
) -> str:
    kind, names = type(optimizer).__name__, ", ".join(map(str, list(grads)[:5])) or "nothing"
    if not any(parameter.names for parameter in parameters):
        known = ("of which no gradient has been computed by name: value_and_grad(model, loss)(x, y)"
                 " does, or give a list in the order of the parameters")
    else:
        known = f"such as {', '.join(sorted(_by_name(parameters))[:5])}"
    return (f"none of these gradients (of {names}) is of one of the {len(parameters)} parameters "
            f"of this {kind}, {known}. It was made for another model, or layers were replaced "
            "after it was made: create it again, with model.parameters()")
