"""What a user asks of the memory of single values, and which of them the backward pass makes again.

`keep` and `drop` mark a value while a forward is traced; `dropped` reads the marks of a whole
graph, those of regions (`fn.checkpoint`) too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fastnn.graph import Graph, Leaf, Node, Tensor


def keep(tensor: Tensor) -> Tensor:
    """Never compute this value of a forward again: it is held until the backward pass has read it.

    tensor: a symbolic value; returns it. A kept value counts more than a region around it. One
    that fusion merges into what reads it is kept in there. Weights have the same bits.

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
    """Do not hold this value from the forward pass to the backward pass, which makes it again.

    tensor: a symbolic value; returns it. The views of it (`flatten`) go with it, and what would be
    held only to make it again. One that fusion merges into what reads it has no memory to drop.
    Weights have the same bits.

    Raises ValueError for what comes from outside (a batch, a parameter) and for a kept value. A
    step raises ValueError, which names the layer, if the value cannot be made again: an output of
    the step, or of a `Function` of yours.

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
        raise ValueError(f"{where}: the output of {node.op.name} is to be kept and to be dropped")
    node.origin = replace(node.origin, pin=pin)
    return tensor


def dropped(graph: Graph, results: set[Tensor], renewable: set[Tensor]) -> set[Tensor]:
    """Values that the backward pass must make again.

    results: values that are read at the end of the step. renewable: those that can be made again.

    Raises ValueError, which names the layer, for a pinned one that cannot be dropped.
    """
    forward = graph.nodes[:graph.forward_nodes]
    if len(forward) == graph.first_update:
        return set()  # no backward pass
    kept = {t for node in forward if node.origin.pin == "keep" for t in node.outputs}
    staying = _with_sources(forward, results | kept)
    for node in forward:
        if node.origin.pin == "drop":
            _check(node, staying, renewable)
    read_later = {t for node in graph.nodes[graph.forward_nodes:] for t in node.inputs}
    return (_pinned(forward, read_later) | _in_regions(forward)) & renewable - staying


def _pinned(forward: Sequence[Node], read_later: set[Tensor]) -> set[Tensor]:
    """Values that are to be dropped, the views of them, and what only serves to make them."""
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
    """Values of regions that no operation of the forward pass outside of theirs reads."""
    inside = {t for node in forward if node.origin.region is not None for t in node.outputs}
    return inside - _with_sources(forward, {
        tensor for node in forward for tensor in node.inputs
        if tensor.node.origin.region != node.origin.region})


def _with_sources(forward: Sequence[Node], tensors: set[Tensor]) -> set[Tensor]:
    """These values and all whose memory they look at."""
    result = set(tensors)
    for node in reversed(forward):
        viewed = node.op.view_of(node)
        if viewed is not None and node.outputs[0] in result:
            result.add(node.inputs[viewed])
    return result


def _check(node: Node, staying: set[Tensor], renewable: set[Tensor]) -> None:
    where = f"{node.scope or 'the model'}: the output of {node.op.name} cannot be dropped"
    if node.outputs[0] in staying:
        raise ValueError(f"{where}: it is a result of the step, or the memory of a kept value")
    if node.outputs[0] not in renewable:
        raise ValueError(f"{where}: the operation may not run a second time")
