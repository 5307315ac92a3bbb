"""A part of a loss that a step reports by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Graph, Tensor, apply, as_tensor
from fastnn.ops.alias import Alias
from fastnn.spec import ShapeError, check_float


@dataclass(frozen=True)
class LossPart(Alias):
    """y = x, one number; a step reads it."""

    label: str

    @property
    def name(self) -> str:
        return "loss_part"


def loss_part(name: str, value: Any) -> Tensor:
    """`value` itself, one number, which a TrainStep reports as loss_parts[name].

    For use in a loss or a forward, on terms that the loss is computed from. If the loss is not
    finite, the error names the part that is not. Raises ShapeError for more than one number.

    >>> import numpy as np, fastnn as fn
    >>> def loss(output, target):
    ...     size = loss_part("size", output.abs().mean())
    ...     return loss_part("error", fn.mse_loss(output, target)) + 0.1 * size
    >>> model = fn.nn.Linear(2, 1)
    >>> step = fn.TrainStep(model, loss, fn.optim.SGD(model.parameters(), lr=0.1))
    >>> value = step(np.ones((3, 2), np.float32), np.ones((3, 1), np.float32))
    >>> sorted(step.loss_parts)
    ['error', 'size']
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"a part of a loss has a text as its name, got {name!r:.60}")
    tensor = as_tensor(value)
    check_float(f"the part {name!r} of a loss", tensor.spec)
    if tensor.size != 1:
        raise ShapeError(f"the part {name!r} of a loss must be one number, got shape "
                         f"{tensor.shape}: take its mean or its sum")
    return apply(LossPart(name), tensor)


def parts_of(loss: Iterable[Tensor]) -> dict[str, Tensor]:
    """The named parts that these tensors are computed from, in the order of their making."""
    found: dict[str, Tensor] = {}
    for node in Graph.trace((), tuple(loss)).nodes:
        if isinstance(node.op, LossPart):
            if node.op.label in found:
                raise ValueError(f"two parts of the loss are called {node.op.label!r}")
            found[node.op.label] = node.outputs[0]
    return found
