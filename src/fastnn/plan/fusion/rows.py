"""Pixels as rows: no copies where channels are moved to the last axis, and back.

Images are stored channels-last, so that x.permute(0, 2, 3, 1).reshape(-1, channels) has their very
memory, and so has what permutes rows back to images. Each of the two operations alone would copy:
the one in between has four axes, which are stored as those of an image.
"""

from __future__ import annotations

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.as_stored import AsStored
from fastnn.ops.permute import Permute
from fastnn.ops.reshape import Reshape, same_memory

MOVED_LAST, MOVED_BACK = Permute((0, 2, 3, 1)), Permute((0, 3, 1, 2))


def pixels_as_rows(graph: Graph) -> Graph:
    """Channels of images moved last and reshaped, or the reverse: a view instead of two copies."""

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        before = inputs[0].node if inputs else node
        if node.origin.pin is not None or before.origin.pin is not None:
            return None
        leaves = (isinstance(node.op, Reshape) and before.op == MOVED_LAST
                  and same_memory(node.outputs[0].shape))
        returns = (node.op == MOVED_BACK and isinstance(before.op, Reshape)
                   and same_memory(before.inputs[0].shape))
        if not leaves and not returns:
            return None
        (y,) = node.outputs
        return Node(AsStored(y.shape), before.inputs, [y.spec], node.origin).outputs

    return graph.rewrite(rule)
