"""Checks of optimizers' arguments: numbers and parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)  # kernels compute in float32


def check_number(
    name: str, value: Any, least: float = -LARGEST, below: float | None = None,
    most: float = LARGEST,
) -> float:
    """The value as a float from `least` to `most`, and below `below` if that is given.

    Raises TypeError if it is no number, ValueError for one out of range.

    >>> check_number("lr", "0.1", 0.0)
    Traceback (most recent call last):
    TypeError: lr must be a number from 0 on, got the text '0.1'; write lr=0.1
    """
    expected = "a number"
    if least == 0:
        expected += (f" from 0 to below {below:g}" if below is not None else
                     f" from 0 to {most:g}" if most < LARGEST else " from 0 on")
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be {expected}, got {described(value)}{_hint(name, value)}")
    try:
        result = float(value)
    except OverflowError:  # an integer that no float can hold
        result = math.inf
    if not least <= result <= most or (below is not None and result >= below):
        raise ValueError(f"{name} must be {expected} that float32 holds, got {value}")
    return result


def numbers_of(name: str, value: Any, example: tuple[float, ...]) -> tuple[Any, ...]:
    """As many values as in an example; TypeError for no sequence, ValueError for another length."""
    words = {2: "two", 3: "three"}[len(example)]
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be {words} numbers such as {example}, got {value!r}")
    if len(value) != len(example):
        raise ValueError(f"{name} must be {words} numbers such as {example}, got {len(value)}")
    return tuple(value)


def check_betas(value: Any) -> tuple[float, float]:
    """Two decay rates as floats, from 0 to below 1."""
    first, second = (check_number(f"betas[{i}]", beta, 0.0, below=1.0)
                     for i, beta in enumerate(numbers_of("betas", value, (0.9, 0.999))))
    return first, second


def check_ways(
    foreach: Any = None, fused: Any = None, capturable: Any = False, differentiable: Any = False
) -> None:
    """PyTorch's choices of how to compute a step: without effect, as here it is always one pass.

    Raises TypeError for what is not True or False (or None, of the first two), ValueError for
    differentiable=True.
    """
    for name, value in (("foreach", foreach), ("fused", fused)):
        if value is not None:
            check_flag(name, value)
    check_flag("capturable", capturable)
    if check_flag("differentiable", differentiable):
        raise ValueError("differentiable must be False: a step changes parameters in place, and no "
                         "gradient passes through it")


def check_flag(name: str, value: Any) -> bool:
    """The value as a bool; TypeError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {described(value)}")
    return bool(value)


def groups_of(kind: str, params: Any) -> list[dict[str, Any]]:
    """The groups that an optimizer is given: dicts whose "params" is a list of parameters.

    kind: the optimizer's name. Raises TypeError or ValueError with what to write instead.
    """
    entries = _listed(kind, params)
    if not any(isinstance(entry, Mapping) for entry in entries):
        entries = [{"params": entries}]
    groups = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise TypeError(f"{kind} takes parameters or groups, got both: put the parameters into "
                            'a group of their own, {"params": [...]}')
        if "params" not in entry:
            raise ValueError(f'{kind}: a group needs "params", got {sorted(entry)}')
        given = entry["params"]
        parameters = [given] if _is_parameter(given) else _listed(kind, given)
        for parameter in parameters:
            _check_parameter(kind, parameter)
        groups.append({**entry, "params": parameters})
    return groups


def _listed(kind: str, given: Any) -> list[Any]:
    """The items of parameters or groups."""
    if _is_parameter(given) or isinstance(given, (str, Mapping)) or callable(given):
        raise TypeError(f"{kind} takes a list of parameters or of groups, got {described(given)}"
                        f"{_instead(kind, given)}")
    try:
        items = list(given)
    except TypeError:
        raise TypeError(f"{kind} takes a list of parameters or of groups, got "
                        f"{described(given)}; write {kind}(model.parameters(), ...)") from None
    if not items and isinstance(given, Iterator):
        raise ValueError(f"{kind} got no parameters, but a generator that is used up (or a model "
                         "that has none): call model.parameters() anew, or keep "
                         "list(model.parameters())")
    return items


def _is_parameter(value: Any) -> bool:
    return hasattr(value, "memory") and hasattr(value, "requires_grad")


def _check_parameter(kind: str, value: Any) -> None:
    if _is_parameter(value):
        return
    if isinstance(value, tuple) and len(value) == 2 and _is_parameter(value[1]):
        raise TypeError(f"{kind} takes parameters, got the pair of {value[0]!r} and one; write "
                        "model.parameters(), not model.named_parameters()")
    raise TypeError(f"{kind} takes parameters, got {described(value)}; fn.nn.Parameter(array) "
                    "makes one of an array")


def _instead(kind: str, given: Any) -> str:
    if _is_parameter(given):
        return f"; write {kind}([parameter], ...)"
    if isinstance(given, Mapping):
        return f"; write {kind}([{{'params': ...}}], ...)"
    return f"; write {kind}(model.parameters(), ...)"


def described(value: Any) -> str:
    """A description of a value, for messages."""
    if isinstance(value, str):
        return f"the text {value!r}"
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"a value of type {type(value).__name__}"


def _hint(name: str, value: Any) -> str:
    """How to write a number that was given as text."""
    try:
        return f"; write {name}={float(value):g}" if isinstance(value, str) else ""
    except ValueError:
        return ""
