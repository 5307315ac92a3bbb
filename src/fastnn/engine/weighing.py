"""The weight of a batch in a mean over batches or micro-batches: as the loss weighs targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.engine.nesting import flat
from fastnn.graph import Graph, Leaf, Node, Tensor, unshaped
from fastnn.ops.class_loss import ClassLoss, counted
from fastnn.ops.softmax import Softmax
from fastnn.spec import IGNORED


@dataclass(frozen=True)
class Weighing:
    """How a loss counts the targets of a batch.

    loss: a module or function. It may define its divisor by a method `count(target)`, say that it
    is a sum by `reduction = "sum"`, and name targets that do not count by `ignore_index`. node: the
    loss of class numbers in its graph, if there is one, for what the loss does not define.
    target: the position of its target among flat targets. whole: whether this node is the whole
    loss. soft: whether the targets are probabilities of classes, floats of the output's shape.
    """

    loss: Any
    node: Node | None = None
    target: int = 0
    whole: bool = False
    soft: bool = False

    def weight(self, target: Any, inputs: Any = ()) -> float | None:
        """The divisor of the mean over a batch's targets; None if the loss is a sum.

        By default it is the number of examples, of `inputs` where there are no targets.
        """
        if getattr(self.loss, "reduction", "mean") == "sum":
            return None
        if not flat(target):
            return float(len(flat(inputs)[0]))
        if hasattr(self.loss, "count"):
            return float(self.loss.count(target))
        array = flat(target)[self.target]
        op = None if self.node is None else self.node.op
        if isinstance(op, ClassLoss) and op.reduction == "mean":
            assert self.node is not None
            return counted(np.asarray(array), op.ignore_index, _class_weights(self.node))
        if isinstance(op, ClassLoss) and op.reduction == "sum" and self.whole:
            return None
        return float(len(array))

    @property
    def ignore_index(self) -> int:
        """The class number whose targets do not count."""
        said = getattr(self.loss, "ignore_index", None)
        if isinstance(said, (int, np.integer)):
            return int(said)
        op = None if self.node is None else self.node.op
        return op.ignore_index if isinstance(op, ClassLoss) else IGNORED


def _class_weights(node: Node) -> np.ndarray | None:
    weight = node.inputs[2].node.op
    assert isinstance(node.op, ClassLoss) and isinstance(weight, Leaf)
    return getattr(weight.source, "memory", weight.source) if node.op.weighted else None


def weighing(loss: Any, value: Tensor, targets: Sequence[Tensor]) -> Weighing:
    """How a loss weighs targets, as far as its graph shows.

    value: the traced loss. targets: the traced arrays of targets. Nothing is known from a graph
    with several different losses of class numbers, or with computed targets or class weights.
    """
    found: dict[Any, Node] = {}
    places = {unshaped(target): place for place, target in enumerate(targets)}
    for node in Graph.trace((), (value,)).nodes:
        if isinstance(node.op, ClassLoss):
            target, weight = unshaped(node.inputs[1]), node.inputs[2]
            if target not in places or not isinstance(weight.node.op, Leaf) or (
                    weight.node.op.kind == "input"):
                return Weighing(loss)
            source = id(weight.node.op.source) if node.op.weighted else None
            found[node.op, target, source] = node
    if len(found) != 1:
        return Weighing(loss, soft=bool(targets) and not found and _is_soft(value, targets[0]))
    node = found.popitem()[1]
    return Weighing(loss, node, places[unshaped(node.inputs[1])], value.node is node)


def _is_soft(loss: Tensor, target: Tensor) -> bool:
    """Whether a loss multiplies a target, smoothed or not, with a log-softmax: Σ target log p."""
    target = unshaped(target)
    for node in Graph.trace((), (loss,)).nodes:
        if node.op.name == "mul":
            factors = [unshaped(tensor) for tensor in node.inputs]
            plain = [unshaped(one.node.inputs[0]) if one.node.op.name == "affine" else one
                     for one in factors]
            if any(one is target for one in plain) and any(
                    one.node.op == Softmax(log=True) for one in factors):
                return True
    return False


def shares(weights: Sequence[float | None]) -> list[float]:
    """The share of each micro-batch's loss in that of the whole batch, from their weights.

    >>> shares([1.0, 3.0]), shares([None, None])
    ([0.25, 0.75], [1.0, 1.0])
    """
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights):  # a sum is the sum of the micro-batches' losses
        return [1.0] * len(weights)
    total = sum(known)
    return [weight / total if total else 1 / len(known) for weight in known]
