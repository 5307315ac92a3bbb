"""Learning rates that fall from the last layer to the first, for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastnn.arguments import instance
from fastnn.nn.containers import ModuleList, Sequential
from fastnn.nn.module import Module
from fastnn.optim.arguments import check_number


def layerwise_groups(
    model: Module, lr: float, decay: float = 0.75, layers: Sequence[Any] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer, one for each layer, with lr * decay^k for the k-th last.

    The last layer learns at the rate lr, the first one the least: a trained net's first layers are
    of use for any task. As fastai's discriminative rates (Howard and Ruder, 2018) and timm's
    layer_decay.

    model: a Module. lr: of the last layer. decay: from 0 to 1. layers: modules, or lists of modules
    that share a rate, from the first to the last; by default the modules directly in the model,
    those of each Sequential and ModuleList one by one. Parameters in none of them, such as a class
    token, belong to the first layer. options: of every group, such as weight_decay. A parameter of
    several layers belongs to the first of them; layers without parameters do not count.

    Raises TypeError or ValueError.

    >>> from fastnn import nn, optim
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> optimizer = optim.AdamW(layerwise_groups(model, lr=0.1, decay=0.5))
    >>> [(len(group["params"]), group["lr"]) for group in optimizer.param_groups]
    [(2, 0.025), (2, 0.05), (2, 0.1)]
    """
    instance(model, "model", Module)
    rate, factor = check_number("lr", lr, 0.0), check_number("decay", decay, 0.0)
    if factor > 1:
        raise ValueError(f"decay must be a number from 0 to 1, got {decay}")
    if layers is None:
        parts = [[part] for part in _parts(model)]
    else:
        parts = [list(layer) if isinstance(layer, (list, tuple)) else [layer] for layer in layers]
    own = {id(parameter): parameter for parameter in model.parameters()}
    layer_of: dict[int, int] = {}
    for number, part in enumerate(parts):
        for module in part:
            for parameter in instance(module, "a layer", Module).parameters():
                if id(parameter) not in own:
                    raise ValueError(f"layer {number} has a parameter of shape {parameter.shape} "
                                     "that is not of the model")
                layer_of.setdefault(id(parameter), number)
    first = min(layer_of.values(), default=0)
    lists: dict[int, list[Any]] = {}
    for key, parameter in own.items():
        lists.setdefault(layer_of.get(key, first), []).append(parameter)
    return [{"params": lists[number], "lr": rate * factor**after, **options}
            for after, number in reversed(list(enumerate(sorted(lists, reverse=True))))]


def _parts(module: Module) -> Iterator[Module]:
    """The modules directly in a module, with those of containers one by one."""
    for child in module.children():
        if isinstance(child, (Sequential, ModuleList)):
            yield from _parts(child)
        else:
            yield child
