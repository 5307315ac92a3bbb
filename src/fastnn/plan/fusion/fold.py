"""Fold batch norms into the layer before them, where a user asks for it: it changes bits.

y = (w x + b - mean) * scale + bias, with scale = weight / sqrt(var + eps), is one layer with the
weight scale * w and the bias (b - mean) * scale + bias. Both depend on parameters alone, so a plan
that runs many times computes them once (`plan/kept.py`).
"""

from __future__ import annotations

from collections import defaultdict

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.batch_norm import BatchNorm
from fastnn.ops.binary import Binary
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.linear import Linear
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.reshape import reshape


def fold_norms(graph: Graph) -> Graph:
    """Norms with running statistics become part of a convolution or linear layer before them.

    A norm in front of an addition stays: both are one pass over memory, as is an addition alone.
    """
    readers: dict[Tensor, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for tensor in node.inputs:
            readers[tensor].append(node)
    outputs = set(graph.outputs)

    def is_added(tensor: Tensor) -> bool:
        return any(isinstance(reader.op, Binary) and reader.op.row == "add"
                   for reader in readers[tensor])

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op, layer = node.op, inputs[0].node if inputs else node
        if not isinstance(op, BatchNorm) or op.training or is_added(node.outputs[0]):
            return None
        if not isinstance(layer.op, Conv2d | Linear) or layer.op.relu:
            return None
        if len(readers[node.inputs[0]]) > 1 or node.inputs[0] in outputs:
            return None
        _, mean, var, gain, shift = inputs
        x, weight, *biases = layer.inputs
        scale = gain / FUNCTIONS["sqrt"](var + op.eps)
        folded = weight * reshape(scale, scale.size, *(1,) * (weight.ndim - 1))
        bias = shift + ((biases[0] - mean) if biases else -mean) * scale
        specs = [tensor.spec for tensor in node.outputs]
        return Node(layer.op, (x, folded, bias), specs, layer.origin).outputs

    return graph.rewrite(rule)
