"""A parameter that is computed of others: the module's class gets a property of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.nn.module import Module
from fastnn.nn.parameter import structure_changed

_OURS = "_computed"  # in a class that was made here: its properties by name


def compute_instead(
    module: Module, name: str, compute: Callable[[Any], Any], prefix: str = ""
) -> None:
    """Take a parameter out of a module; reading it gives compute(module) from now on.

    That is a symbolic tensor, also outside of a forward. The module gets a class of its own, like
    that of before, whose name has the prefix.
    """
    module.get_parameter(name)
    del module.__dict__["_parameters"][name]
    _set_class(module, {**_properties(module), name: property(compute)}, prefix)


def compute_no_more(module: Module, name: str, prefix: str = "") -> None:
    """Undo `compute_instead`; the module then has no such parameter. ValueError if it was not."""
    if name not in _properties(module):
        raise ValueError(f"{name!r} of a {type(module).__name__} is not computed of others")
    kept = {key: value for key, value in _properties(module).items() if key != name}
    _set_class(module, kept, prefix)


def is_computed(module: Module, name: str) -> bool:
    """Whether a parameter is computed of others."""
    return name in _properties(module)


def _properties(module: Module) -> dict[str, property]:
    return vars(type(module)).get(_OURS, {})  # type: ignore[no-any-return]


def _set_class(module: Module, properties: dict[str, property], prefix: str) -> None:
    kind = type(module)
    plain = kind.__bases__[0] if _OURS in vars(kind) else kind
    module.__class__ = plain if not properties else type(f"{prefix}{plain.__name__}", (plain,), {
        **properties, _OURS: properties, "__doc__": plain.__doc__, "__module__": plain.__module__})
    structure_changed()
