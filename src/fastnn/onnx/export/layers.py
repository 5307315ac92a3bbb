"""Convolutions and products of matrices."""

from __future__ import annotations

from fastnn.graph import Node
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.table import translates
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.conv_transpose2d import ConvTranspose2d
from fastnn.ops.linear import Linear
from fastnn.ops.product import Product


@translates(Conv2d)
def conv2d(build: Builder, node: Node, op: Conv2d) -> str:
    """Conv, with padding that may differ before and after."""
    arguments = op.arguments
    (top, bottom), (left, right) = arguments.padding
    return build.emit(
        "Conv", build.inputs_of(node), kernel_shape=list(node.inputs[1].shape[2:]),
        strides=list(arguments.stride), pads=[top, left, bottom, right],
        dilations=list(arguments.dilation), group=arguments.groups)


@translates(ConvTranspose2d, varying=("shape",))
def conv_transpose2d(build: Builder, node: Node, op: ConvTranspose2d) -> str:
    """ConvTranspose; padding below 0 at an end, by output padding, is zeros behind the result."""
    arguments = op.arguments
    (top, bottom), (left, right) = arguments.padding
    y = build.emit(
        "ConvTranspose", build.inputs_of(node), kernel_shape=list(node.inputs[1].shape[2:]),
        strides=list(arguments.stride), pads=[top, left, max(bottom, 0), max(right, 0)],
        dilations=list(arguments.dilation), group=arguments.groups)
    if bottom >= 0 and right >= 0:
        return y
    pads = build.numbers([0] * 6 + [max(-bottom, 0), max(-right, 0)])
    return build.emit("Pad", [y, pads])


@translates(Linear)
def linear(build: Builder, node: Node, op: Linear) -> str:
    """Gemm, which takes the weight as it is stored, (out, in)."""
    return build.emit("Gemm", build.inputs_of(node), transB=1)


@translates(Product)
def product(build: Builder, node: Node, op: Product) -> str:
    """MatMul of matrices or of batches of them."""
    names = build.inputs_of(node)
    for place, turned in enumerate((op.a_transposed, op.b_transposed)):
        if turned:
            rank = node.inputs[place].ndim
            axes = [*range(rank - 2), rank - 1, rank - 2]
            names[place] = build.emit("Transpose", [names[place]], perm=axes)
    return build.emit("MatMul", names)
