"""Pins: a user's choice, value by value, of what is kept and what is recomputed.

`keep` and `drop` pin a value while a forward is traced. `dropped` collects from a graph what pins
and regions (`fn.checkpoint`) drop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fastnn.graph import Graph, Leaf, Node, Tensor


def keep(tensor: Tensor) -> Tensor:
    """Never recompute this value: it is held until the backward pass has read it.

    tensor: a symbolic value; returns it. `keep` overrides a region around the value. If fusion
    merges the value into its reader, the reader's output is kept. Weights have the same bits.

    Raises ValueError for what comes from outside (a batch, a parameter) and for a dropped value.

    >>> import fastnn as fn
    >>> class Net(fn.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first, self.second = fn.nn.Linear(4, 8), fn.nn.Linear(8, 3)
    ...     def forward(self, x):
    ...         return self.second(fn.plan.keep(fn.tanh(self.first(x))))
    """
    return _pin(tensor, "keep")


def drop(tensor: Tensor) -> Tensor:
    """Free this value after the forward pass and recompute it in the backward pass.

    tensor: a symbolic value; returns it. Its views (`flatten`) are dropped too, and so is every
    value that would be held only to recompute it. If fusion merges the value into its reader,
    there is nothing to drop. Weights have the same bits.

    Raises ValueError for what comes from outside (a batch, a parameter) and for a kept value. A
    step raises ValueError, naming the layer, if the value cannot be recomputed: an output of the
    step, or of a `Function` of yours.

    >>> import fastnn as fn
    >>> class Net(fn.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first, self.second = fn.nn.Linear(4, 8), fn.nn.Linear(8, 3)
    ...     def forward(self, x):
    ...         return self.second(fn.plan.drop(fn.tanh(self.first(x))))
    >>> model = Net()
    >>> step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    >>> step.plan((2, 4)).recomputed
    ('first:linear', ':tanh')
    """
    return _pin(tensor, "drop")


def _pin(tensor: Tensor, pin: Literal["keep", "drop"]) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{pin} takes a symbolic tensor inside a forward, got "
                        f"{type(tensor).__name__}")
    node = tensor.node
    where = node.scope or "the model"
    if isinstance(node.op, Leaf):
        raise ValueError(f"{pin}: a value of kind {node.op.kind} comes from outside of the step, "
                         "which neither keeps nor drops it")
    if node.origin.pin not in (None, pin):
        raise ValueError(f"{where}: the output of {node.op.name} is marked with both keep and drop")
    node.origin = replace(node.origin, pin=pin)
    return tensor


def dropped(graph: Graph, results: set[Tensor], recomputable: set[Tensor]) -> set[Tensor]:
    """Values that the backward pass must recompute.

    results: values that are read at the end of the step.

    Raises ValueError, naming the layer, for a value pinned with `drop` that cannot be dropped.
    """
    forward = graph.nodes[:graph.forward_nodes]
    if len(forward) == graph.first_update:
        return set()  # no backward pass
    kept = {t for node in forward if node.origin.pin == "keep" for t in node.outputs}
    staying = _with_sources(forward, results | kept)
    for node in forward:
        if node.origin.pin == "drop":
            _check(node, staying, recomputable)
    read_later = {t for node in graph.nodes[graph.forward_nodes:] for t in node.inputs}
    return (_pinned(forward, read_later) | _in_regions(forward)) & recomputable - staying


def _pinned(forward: Sequence[Node], read_later: set[Tensor]) -> set[Tensor]:
    """Values pinned with `drop`, their views, and what is needed only to recompute them."""
    found: set[Tensor] = set()
    for node in forward:
        viewed = node.op.view_of(node)
        if node.origin.pin == "drop" or (viewed is not None and node.inputs[viewed] in found):
            found.update(node.outputs)
    needed, serving = read_later.copy(), set[Tensor]()
    for node in reversed(forward):
        serves = not serving.isdisjoint(node.outputs) and needed.isdisjoint(node.outputs)
        if serves or not found.isdisjoint(node.outputs):
            found.update(node.outputs)
            serving.update(node.inputs)
        else:
            needed.update(node.inputs)
    return found


def _in_regions(forward: Sequence[Node]) -> set[Tensor]:
    """Values that the forward pass reads only inside their own region."""
    inside = {t for node in forward if node.origin.region is not None for t in node.outputs}
    return inside - _with_sources(forward, {
        tensor for node in forward for tensor in node.inputs
        if tensor.node.origin.region != node.origin.region})


def _with_sources(forward: Sequence[Node], tensors: set[Tensor]) -> set[Tensor]:
    """These values and those that they are views of."""
    result = set(tensors)
    for node in reversed(forward):
        viewed = node.op.view_of(node)
        if viewed is not None and node.outputs[0] in result:
            result.add(node.inputs[viewed])
    return result


def _check(node: Node, staying: set[Tensor], recomputable: set[Tensor]) -> None:
    where = f"{node.scope or 'the model'}: the output of {node.op.name} cannot be dropped"
    if node.outputs[0] in staying:
        raise ValueError(f"{where}: it is a result of the step, or a kept value is a view of it")
    if node.outputs[0] not in recomputable:
        raise ValueError(f"{where}: the operation cannot be recomputed")
