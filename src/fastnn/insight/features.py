"""Features: what a layer of a net makes of examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arguments import instance
from fastnn.engine.layer_values import LayerValues
from fastnn.nn.module import Module
from fastnn.plan.budget import Budget
from fastnn.training.prediction import computed


def features(
    model: Module, x: Any, layer: str | Sequence[str], batch_size: int = 256,
    memory_budget: Budget = None,
) -> Any:
    """What a layer returns for many examples, in their order, the model in eval mode.

    features(x) = h_k(... h_2(h_1(x))), for layers h_1, h_2, ... up to the named one: a point in the
    space that the net has warped its inputs into (Olah, "Neural networks, manifolds, and topology",
    2014). What only later layers need is not computed.

    model: a Module; its modes and the random state are as before at the end. x: an array
    (n, ...) or a tuple of several inputs; `fastnn.data.Batches`; or an iterable of batches x, (x,
    y) or (x, y, weights). layer: a path of `model.named_modules()`, such as "layer4.1.conv2"; or
    several in a list, computed in one run. "" is the model itself. Of a module that is called
    several times, the last call counts. batch_size: of arrays. memory_budget: bytes the process may
    hold, or text such as "512MiB"; batches that are too large for it are computed in parts, to the
    same bits, and the results count too.

    Returns an array (n, ...), float32; for several layers a dict of them by path. A layer that
    returns several arrays gives a tuple or dict of them.

    Raises ValueError for a path that the model does not have, with the nearest ones, or a layer
    that is not called; ShapeError for values that are not by example; MemoryBudgetError.

    >>> import numpy as np
    >>> from fastnn import nn
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    >>> features(net, np.ones((5, 2), np.float32), "1").shape
    (5, 3)
    >>> found = features(net, np.ones((5, 2), np.float32), ["1", "2"])
    >>> {path: array.shape for path, array in found.items()}
    {'1': (5, 3), '2': (5, 2)}
    """
    instance(model, "model", Module)
    paths = (layer,) if isinstance(layer, str) else tuple(instance(layer, "layer", (list, tuple)))
    if not paths:
        raise ValueError("layer is an empty list, expected paths of modules")
    values = LayerValues(model, paths)
    found = computed(values, x, batch_size, memory_budget, "features of a model")
    return found[0] if isinstance(layer, str) else dict(zip(paths, found, strict=True))
