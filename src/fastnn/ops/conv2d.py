"""2-D convolution (cross-correlation) and its two gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Tensor, apply, as_tensor
from fastnn.ops.conv_algorithm import get_conv_algorithm
from fastnn.ops.convolution import ConvArguments, Forward, GradInput, GradWeight
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.unbatched import as_batch, as_it_came
from fastnn.ops.windows import (
    Pair,
    check_channels,
    check_images,
    output_sizes,
    pair,
    whole_number,
)
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class Conv2d(Forward):
    """y[n,k,i,j] = Σ x[n,c,i·s+u·d-p,j·s+v·d-p] w[k,c,u,v] (+ bias[k]) (then ReLU, when fused)."""

    relu: bool = False

    @property
    def name(self) -> str:
        return "conv2d_relu" if self.relu else "conv2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, (weight, *bias) = inputs[0], self.filters(inputs)
        check_images("conv2d", x)
        check_images("conv2d weight", weight)
        groups = self.arguments.groups
        k, per_group, kh, kw = weight.shape
        if min(weight.shape) < 1:
            raise ShapeError(f"conv2d: weight {weight.shape} is empty")
        if k % groups:
            raise ShapeError(f"conv2d: {groups} groups do not divide the {k} output channels of "
                             f"weight {weight.shape}")
        check_channels("conv2d", x.shape, per_group * groups,
                       f"weight {weight.shape} in {groups} group(s)")
        if bias and bias[0].shape != (k,):
            raise ShapeError(f"conv2d: bias {bias[0].shape} does not fit weight {weight.shape}, "
                             f"expected ({k},)")
        size = output_sizes("conv2d", x, (kh, kw), self.arguments.stride, self.arguments.padding,
                            self.arguments.dilation)
        return (Spec((x.shape[0], k, *size)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, weight = node.inputs[:2]
        dy = grads[0]
        dw = apply(Conv2dGradWeight(self.arguments, weight.shape), x, dy) if wanted[1] else None
        db = [sum(dy, (0, 2, 3)) if want else None for want in wanted[2:]]
        dx = apply(Conv2dGradInput(self.arguments, x.shape), dy, weight) if wanted[0] else None
        return (dx, dw, *db)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, weight, *bias = node.inputs
        d = (*self.dims(node), len(bias), self.relu)
        return [Call(self.kernel(node), (x, weight, *(bias or (None,)), node.outputs[0]), d)]


@dataclass(frozen=True)
class Conv2dGradInput(GradInput):
    """dx = the transposed convolution of dy with w."""

    @property
    def name(self) -> str:
        return "conv2d_grad_input"

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        dy, weight = node.inputs
        grad_weight = Conv2dGradWeight(self.arguments, weight.shape)
        dw = apply(grad_weight, grads[0], dy) if wanted[1] else None  # first, to free dy
        return apply(Conv2d(self.arguments), grads[0], weight) if wanted[0] else None, dw

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.kernel(node), (*node.inputs, node.outputs[0]), (*self.dims(node), 0, 0))]


@dataclass(frozen=True)
class Conv2dGradWeight(GradWeight):
    """dw[k,c,u,v] = Σ over n,i,j of dy[n,k,i,j] x[n,c,i·s+u·d-p,j·s+v·d-p]."""

    @property
    def name(self) -> str:
        return "conv2d_grad_weight"

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, dy = node.inputs
        grad_input = Conv2dGradInput(self.arguments, x.shape)
        return (apply(grad_input, dy, grads[0]) if wanted[0] else None,
                apply(Conv2d(self.arguments), x, grads[0]) if wanted[1] else None)

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.kernel(node), (*node.inputs, node.outputs[0]), (*self.dims(node), 0, 0))]


def paddings(padding: Any, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)) from a number, two, two pairs, "valid" or "same".

    If "same" needs an odd total, the extra row or column is at the bottom or right, as in PyTorch.
    """
    if isinstance(padding, str) and padding == "valid":
        return ((0, 0), (0, 0))
    if isinstance(padding, str) and padding == "same":
        if stride != (1, 1):
            raise ShapeError(f"conv2d: padding 'same' needs stride 1, got {stride}")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        height, width = ((t // 2, t - t // 2) for t in total)
        return (height, width)
    if isinstance(padding, str):
        raise ShapeError(f"conv2d: padding must be 'same', 'valid' or integers, got {padding!r}")
    sides = padding if isinstance(padding, Sequence) and len(padding) == 2 else ()
    if any(isinstance(side, Sequence) for side in sides):
        height, width = (pair(side, "padding of one axis", 0) for side in sides)
        return (height, width)
    top, left = pair(padding, "padding", 0)
    return ((top, top), (left, left))


@operation()
def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """2-D convolution, arguments as torch.nn.functional.conv2d.

    input: (batch, channels, height, width), or one image without the axis of the batch, as is then
    the result; weight: (out, channels / groups, kernel height, width); bias: (out); stride,
    padding, dilation: a number or (height, width). padding may also be ((top, bottom), (left,
    right)), "valid" (none), or "same" (output as large as the input; stride 1).
    groups: into how many separate convolutions the channels are split. Returns (batch, out,
    height', width'), with
    height' = (height + top + bottom - dilation (kernel height - 1) - 1) // stride + 1.

    Raises ShapeError for arguments that do not fit.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> conv2d(constant(np.zeros((1, 3, 8, 8))), np.zeros((16, 3, 3, 3)), padding=1).shape
    (1, 16, 8, 8)
    >>> conv2d(constant(np.zeros((1, 3, 8, 8))), np.zeros((16, 3, 2, 2)),
    ...        padding=((1, 0), (0, 0))).shape
    (1, 16, 8, 7)
    """
    x, weight = as_tensor(input), as_tensor(weight)
    check_images("conv2d weight", weight.spec)
    number = whole_number(groups, "groups")
    single = x.ndim == 3
    if single:
        x, _ = as_batch("conv2d", x, 4, weight.shape[1] * number,
                        f"weight {weight.shape} in {number} group(s)")
    strides, dilations = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    pads = paddings(padding, (weight.shape[2], weight.shape[3]), strides, dilations)
    arguments = ConvArguments(strides, pads, dilations, number, get_conv_algorithm())
    y = apply(Conv2d(arguments), x, weight, *(() if bias is None else (bias,)))
    return as_it_came(y, single)
