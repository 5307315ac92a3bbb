"""The net of an estimator: layers by their sizes, a net by its name, a module or a factory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import prod

from fastnn import nn
from fastnn.arguments import integer
from fastnn.engine.trace import trace
from fastnn.models.registry import create
from fastnn.spec import ShapeError, Spec

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity, "logistic": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "silu": nn.SiLU, "gelu": nn.GELU,
}
Model = str | nn.Module | Callable[[tuple[int, ...], int], nn.Module] | None


def make_net(
    model: Model, shape: tuple[int, ...], outputs: int, hidden: int | Sequence[int],
    activation: str,
) -> nn.Module:
    """A net for examples of a shape with so many outputs.

    model: None for layers of the sizes `hidden` with an activation; a name of `fastnn.models`, for
    images; a module, of which a copy is made; or a function of (shape, outputs). Raises ValueError
    or TypeError for anything else, ShapeError if it has other outputs.
    """
    if model is None:
        net: nn.Module = _layers(shape, outputs, hidden, activation)
    elif isinstance(model, str):
        if len(shape) != 3:
            raise ValueError(f"model={model!r} takes images (n, channels, height, width), got "
                             f"examples of shape {shape}")
        net = create(model, outputs, shape[0], shape[1:])
    elif isinstance(model, nn.Module):
        net = copy.deepcopy(model)
    elif callable(model):
        net = model(shape, outputs)
    else:
        raise TypeError("model must be None, a name of fastnn.models, a module or a function of "
                        f"(shape, outputs), got {type(model).__name__}")
    if not isinstance(net, nn.Module):
        raise TypeError(f"model must make a module, it has made a {type(net).__name__}")
    made = trace(net, (Spec((2, *shape)),)).output
    if getattr(made, "shape", None) != (2, outputs):
        raise ShapeError(f"the model must return (n, {outputs}) for examples of shape {shape}, it "
                         f"returns {getattr(made, 'shape', made)} for two")
    return net


def _layers(
    shape: tuple[int, ...], outputs: int, hidden: int | Sequence[int], activation: str
) -> nn.Sequential:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    sizes = [hidden] if isinstance(hidden, int) else list(hidden)
    layers: list[nn.Module] = [nn.Flatten()] if len(shape) > 1 else []
    inputs = prod(shape)
    for size in sizes:
        width = integer(size, "hidden_layer_sizes", "numbers of units from 1 on", 1)
        layers += [nn.Linear(inputs, width), ACTIVATIONS[activation]()]
        inputs = width
    net = nn.Sequential(*layers, nn.Linear(inputs, outputs))
    for layer in net:
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net
