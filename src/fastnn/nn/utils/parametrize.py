"""Parameters that are computed of others, as torch.nn.utils.parametrize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from fastnn.arguments import flag, instance
from fastnn.nn.containers import ModuleDict, ModuleList
from fastnn.nn.module import Module, Self
from fastnn.nn.parameter import Parameter
from fastnn.nn.utils.computed import compute_instead, compute_no_more, is_computed

_PREFIX = "Parametrized"


class ParametrizationList(ModuleList):
    """How one parameter is computed: of `original0`, `original1`, ... by the module in it."""

    def __init__(self, parametrization: Module, originals: Sequence[np.ndarray]) -> None:
        super().__init__([parametrization])
        for i, values in enumerate(originals):
            self.register_parameter(f"original{i}", Parameter(values))

    def forward(self) -> Any:
        return self[0].forward(*self.parameters(recurse=False))

    def values(self) -> np.ndarray:
        """The values of now, as an array."""
        return self[0].of_arrays(*(  # type: ignore[no-any-return]
            parameter.data for parameter in self.parameters(recurse=False)))


def parametrized(
    module: Self, name: str, parametrization: Module, originals: Sequence[np.ndarray]
) -> Self:
    """Compute a parameter by a module, of parameters that hold the arrays `originals`."""
    instance(module, "module", Module)
    requires_grad = module.get_parameter(name).requires_grad
    if "parametrizations" not in module.__dict__["_modules"]:
        module.add_module("parametrizations", ModuleDict())
    listed = ParametrizationList(parametrization, originals).requires_grad_(requires_grad)
    module.parametrizations[name] = listed
    compute_instead(module, name, lambda owner: owner.parametrizations[name].forward(), _PREFIX)
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrization, of this parameter if one is named."""
    own = instance(module, "module", Module).__dict__["_modules"].get("parametrizations", ())
    return len(own) > 0 if tensor_name is None else tensor_name in own


def remove_parametrizations(
    module: Self, tensor_name: str, leave_parametrized: bool = True
) -> Self:
    """Make a computed parameter a plain one again, with its values of now.

    Raises ValueError if it is not computed, or without leave_parametrized: then it is not known
    which of its originals is meant.
    """
    if not is_parametrized(module, tensor_name) or not is_computed(module, tensor_name):
        raise ValueError(f"{tensor_name!r} of a {type(module).__name__} has no parametrization")
    if not flag(leave_parametrized, "leave_parametrized"):
        raise ValueError("a parameter that is computed of several keeps its values: leave out "
                         "leave_parametrized=False")
    listed = module.parametrizations[tensor_name]
    values = listed.values()
    compute_no_more(module, tensor_name, _PREFIX)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
    module.register_parameter(tensor_name, Parameter(values, listed.original0.requires_grad))
    return module


def __getattr__(name: str) -> NoReturn:
    said = (": write a module whose forward computes the parameter, or use "
            "nn.utils.parametrizations.weight_norm" if name == "register_parametrization" else "")
    raise AttributeError(f"{__name__} has no {name}{said}", name=name)
