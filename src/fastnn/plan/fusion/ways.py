"""Choose how each convolution is computed: the first rewrite, before others ask what a kernel can.

From then on the graph says what will run, whatever `set_conv_algorithm` says later.
"""

from __future__ import annotations

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.convolution import Convolution


def choose_ways(graph: Graph) -> Graph:
    """Convolutions with their way chosen; those that have one already keep it."""
    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not isinstance(node.op, Convolution) or node.op.way:
            return None
        specs = [tensor.spec for tensor in node.outputs]
        return Node(node.op.with_way(node), inputs, specs, node.origin).outputs

    return graph.rewrite(rule)
