"""A gradient that is the same at every pixel passes a 1x1 convolution as one pixel.

An average over the image before the loss gives such a gradient (networks in networks, SqueezeNet,
fully convolutional nets). One product per image replaces equal products at every pixel.
"""

from __future__ import annotations

from dataclasses import replace

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.adaptive_avg_pool2d import AdaptiveAvgPool2dGrad
from fastnn.ops.conv2d import Conv2dGradInput
from fastnn.ops.convolution import ConvArguments
from fastnn.ops.expand import Expand
from fastnn.spec import Spec


def spread_gradient(graph: Graph) -> Graph:
    """The input's gradient of a 1x1 convolution whose dy is the same at every pixel of an image."""
    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op = node.op
        if not isinstance(op, Conv2dGradInput) or len(inputs) != 2:
            return None  # a transposed convolution's bias must not be scaled with the average
        dy, weight = inputs
        spread = dy.node
        if not isinstance(spread.op, (Expand, AdaptiveAvgPool2dGrad)):
            return None
        pixel = spread.inputs[0]
        plain = ConvArguments(groups=op.arguments.groups, setting=op.arguments.setting)
        if (op.arguments != plain or weight.shape[2:] != (1, 1)
                or pixel.shape != (*dy.shape[:2], 1, 1)):
            return None
        one = (*op.shape[:2], 1, 1)
        gradient = Node(replace(op, shape=one), (pixel, weight), [Spec(one)], node.origin)
        return Node(replace(spread.op, shape=op.shape), gradient.outputs,
                    [node.outputs[0].spec], node.origin).outputs

    return graph.rewrite(rule)
