"""Weight normalisation, as torch.nn.utils.parametrizations."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fastnn.arguments import instance
from fastnn.nn.module import Module, Self
from fastnn.nn.utils.norm_by_axis import checked_axis, normalised, normalised_array, norms
from fastnn.nn.utils.parametrize import parametrized

_LATER = dict.fromkeys(("spectral_norm", "orthogonal"), "; there is weight_norm")


class _WeightNorm(Module):
    def __init__(self, axis: int | None) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return normalised(weight_g, weight_v, self.axis)

    def of_arrays(self, weight_g: np.ndarray, weight_v: np.ndarray) -> np.ndarray:
        """The weight as an array."""
        return normalised_array(weight_g, weight_v, self.axis)


def weight_norm(module: Self, name: str = "weight", dim: int | None = 0) -> Self:
    """Make a parameter w = g v / |v|, of a length g and a direction v that are trained instead.

    module: a layer with a parameter `name`. dim: the axis for each index of which there is a
    length; None for one length of all. The state_dict has PyTorch's names. Reading
    `module.weight` gives a symbolic tensor, computed anew in each forward;
    `nn.utils.parametrize.remove_parametrizations(module, name)` makes it a parameter again.

    Raises KeyError if the module has no such parameter, ShapeError for an axis that it does not
    have.

    Source: Salimans and Kingma, "Weight normalization", 2016.

    >>> from fastnn.nn.linear import Linear
    >>> layer = weight_norm(Linear(2, 3))
    >>> [(key, value.shape) for key, value in layer.state_dict().items()][1:]
    [('parametrizations.weight.original0', (3, 1)), ('parametrizations.weight.original1', (3, 2))]
    """
    instance(module, "module", Module)
    weight = module.get_parameter(name)
    axis, values = checked_axis(dim, weight.ndim), weight.data
    return parametrized(module, name, _WeightNorm(axis), [norms(values, axis), values])


def __getattr__(name: str) -> NoReturn:
    said = f" yet{_LATER[name]}" if name in _LATER else ""
    raise AttributeError(f"{__name__} has no {name}{said}", name=name)
