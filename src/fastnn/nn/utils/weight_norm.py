"""Weight normalisation with its two parameters on the module itself, as torch.nn.utils."""

from __future__ import annotations

from fastnn.arguments import instance
from fastnn.nn.module import Module, Self
from fastnn.nn.parameter import Parameter
from fastnn.nn.utils.computed import compute_instead, compute_no_more
from fastnn.nn.utils.norm_by_axis import checked_axis, normalised, normalised_array, norms


def weight_norm(module: Self, name: str = "weight", dim: int | None = 0) -> Self:
    """Make a parameter g v / |v|, of the parameters `<name>_g` and `<name>_v`.

    As torch.nn.utils.weight_norm, for state_dicts of that; arguments as those of
    `nn.utils.parametrizations.weight_norm`, which new code uses.

    >>> from fastnn.nn.linear import Linear
    >>> list(weight_norm(Linear(2, 3)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    instance(module, "module", Module)
    weight = module.get_parameter(name)
    axis = checked_axis(dim, weight.ndim)
    g = Parameter(norms(weight.data, axis), weight.requires_grad)
    v = Parameter(weight.data, weight.requires_grad)

    def compute(owner: Module) -> object:
        return normalised(getattr(owner, f"{name}_g"), getattr(owner, f"{name}_v"), axis)

    compute_instead(module, name, compute)
    module.register_parameter(f"{name}_g", g)
    module.register_parameter(f"{name}_v", v)
    return module


def remove_weight_norm(module: Self, name: str = "weight") -> Self:
    """Make the parameter that `weight_norm` computed a plain one again, with its values of now."""
    g, v = (module.get_parameter(f"{name}_{part}") for part in "gv")
    compute_no_more(module, name)
    axis = None if g.ndim == 0 else next(  # the one that g has as v, with no others
        i for i, size in enumerate(g.shape) if size == v.shape[i] and size == g.numel())
    values = normalised_array(g.data, v.data, axis)
    delattr(module, f"{name}_g")
    delattr(module, f"{name}_v")
    module.register_parameter(name, Parameter(values, v.requires_grad))
    return module
