"""Batch norms as part of the convolution or linear layer before them, in the exported values.

y = (w x + b - mean) scale + bias, with scale = weight / sqrt(var + eps), is one layer with the
weight scale w and the bias (b - mean) scale + bias. It is computed in double and rounded once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from fastnn.graph import Graph, Leaf, Node, Tensor, constant
from fastnn.ops.batch_norm import BatchNorm
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.linear import Linear
from fastnn.spec import FLOAT, logical_view


def without_norms(graph: Graph, names: Mapping[Tensor, str]) -> tuple[Graph, dict[Tensor, str]]:
    """The graph without the norms that can be folded, and the names of its weights.

    A new weight has the old one's name, its bias the one that belongs to it.
    """
    uses = Counter(id(t) for node in graph.nodes for t in node.inputs)
    uses.update(id(tensor) for tensor in graph.outputs)
    found = dict(names)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        layer = inputs[0].node if inputs else node
        if not _folds(node, layer) or uses[id(node.inputs[0])] > 1:
            return None
        weight, bias = (constant(array) for array in _values(node, layer))
        old = names.get(layer.inputs[1], "")
        if old and uses[id(layer.inputs[1])] == 1:
            found[weight] = old
            found[bias] = old.removesuffix("weight") + "bias"
        specs = [tensor.spec for tensor in node.outputs]
        return Node(layer.op, (layer.inputs[0], weight, bias), specs, layer.origin).outputs

    return graph.rewrite(rule), found


def _folds(node: Node, layer: Node) -> bool:
    """Whether a node is a norm by constants behind a layer with constant weights."""
    return (isinstance(node.op, BatchNorm) and not node.op.training
            and isinstance(layer.op, Conv2d | Linear)
            and all(isinstance(tensor.node.op, Leaf) and tensor.node.op.kind != "input"
                    for tensor in (*node.inputs[1:], *layer.inputs[1:])))


def _values(norm: Node, layer: Node) -> tuple[np.ndarray, np.ndarray]:
    """The weight and the bias of the layer with its norm."""
    assert isinstance(norm.op, BatchNorm)
    mean, var, gain, shift = (_array(tensor) for tensor in norm.inputs[1:])
    weight, *biases = (_array(tensor) for tensor in layer.inputs[1:])
    scale = gain / np.sqrt(var + norm.op.eps)
    by_row = scale.reshape(-1, *[1] * (weight.ndim - 1))
    bias = ((biases[0] if biases else 0.0) - mean) * scale + shift
    return (weight * by_row).astype(FLOAT), bias.astype(FLOAT)


def _array(tensor: Tensor) -> np.ndarray:
    assert isinstance(tensor.node.op, Leaf)
    source = tensor.node.op.source
    return logical_view(getattr(source, "memory", source), tensor.shape).astype(np.float64)
