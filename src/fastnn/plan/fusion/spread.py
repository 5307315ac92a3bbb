"""What is the same at every pixel goes through a 1x1 convolution once, and is spread behind it.

An average over the image in front of the loss sends such a gradient (networks in networks,
SqueezeNet, fully convolutional nets): neither a map of it nor as many equal products are needed.
"""

from __future__ import annotations

from dataclasses import replace

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.adaptive_avg_pool2d import AdaptiveAvgPool2dGrad
from fastnn.ops.conv2d import Conv2dGradInput
from fastnn.ops.convolution import Window
from fastnn.ops.expand import Expand
from fastnn.spec import Spec


def spread_gradient(graph: Graph) -> Graph:
    """The input's gradient of a 1x1 convolution whose dy is the same at every pixel of an image."""
    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op = node.op
        if not isinstance(op, Conv2dGradInput) or len(inputs) != 2:
            return None  # a transposed convolution's bias is not to be scaled by a spread average
        dy, weight = inputs
        spread = dy.node
        if not isinstance(spread.op, (Expand, AdaptiveAvgPool2dGrad)):
            return None
        pixel = spread.inputs[0]
        plain = Window(groups=op.window.groups, setting=op.window.setting)
        if (op.window != plain or weight.shape[2:] != (1, 1)
                or pixel.shape != (*dy.shape[:2], 1, 1)):
            return None
        one = (*op.shape[:2], 1, 1)
        gradient = Node(replace(op, shape=one), (pixel, weight), [Spec(one)], node.origin)
        return Node(replace(spread.op, shape=op.shape), gradient.outputs,
                    [node.outputs[0].spec], node.origin).outputs

    return graph.rewrite(rule)
