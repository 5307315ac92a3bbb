"""2-D convolution (cross-correlation) and its two gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.conv_algorithm import conv_kernel
from fastnn.ops.conv_work import conv_work
from fastnn.ops.reduce import sum
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
class Window:
    """The arguments of a convolution; padding is ((top, bottom), (left, right))."""

    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    def dims(self, x: tuple[int, ...], weight: tuple[int, ...], y: tuple[int, ...]) -> list[int]:
        """The sizes that the kernels take, from logical shapes."""
        (n, c, h, w), (k, _, kh, kw) = x, weight
        return [n, h, w, c, k, kh, kw, *self.stride, self.padding[0][0], self.padding[1][0],
                *self.dilation, self.groups, *y[2:]]


@dataclass(frozen=True)
class Conv2d(Op):
    """y[n,k,i,j] = Σ x[n,c,i·s+u·d-p,j·s+v·d-p] w[k,c,u,v] (+ bias[k]) (then ReLU, when fused)."""

    window: Window
    relu: bool = False

    @property
    def name(self) -> str:
        return "conv2d_relu" if self.relu else "conv2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, weight = inputs[:2]
        check_images("conv2d", x)
        check_images("conv2d weight", weight)
        groups = self.window.groups
        k, per_group, kh, kw = weight.shape
        if min(weight.shape) < 1:
            raise ShapeError(f"conv2d: weight {weight.shape} is empty")
        if k % groups:
            raise ShapeError(f"conv2d: {groups} groups do not divide the {k} output channels of "
                             f"weight {weight.shape}")
        check_channels("conv2d", x.shape, per_group * groups,
                       f"weight {weight.shape} in {groups} group(s)")
        if len(inputs) == 3 and inputs[2].shape != (k,):
            raise ShapeError(f"conv2d: bias {inputs[2].shape} does not fit weight {weight.shape}, "
                             f"expected ({k},)")
        size = output_sizes("conv2d", x, (kh, kw), self.window.stride, self.window.padding,
                            self.window.dilation)
        return (Spec((x.shape[0], k, *size)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, weight = node.inputs[:2]
        dy = grads[0]
        dw = apply(Conv2dGradWeight(self.window, weight.shape), x, dy) if wanted[1] else None
        db = [sum(dy, (0, 2, 3)) if want else None for want in wanted[2:]]
        dx = apply(Conv2dGradInput(self.window, x.shape), dy, weight) if wanted[0] else None
        return (dx, dw, *db)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, weight = node.inputs[:2]
        y = node.outputs[0]
        bias = node.inputs[2] if len(node.inputs) == 3 else weight
        d = (*self.window.dims(x.shape, weight.shape, y.shape), len(node.inputs) - 2, self.relu)
        return [Call(conv_kernel(d, "forward"), (x, weight, bias, y), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        weight = node.inputs[1].shape
        return 2.0 * node.outputs[0].size * weight[1] * weight[2] * weight[3]


@dataclass(frozen=True)
class Conv2dGradInput(Op):
    """dx = the transposed convolution of dy with w."""

    window: Window
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "conv2d_grad_input"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        dy, weight = node.inputs
        grad_weight = Conv2dGradWeight(self.window, weight.shape)
        dw = apply(grad_weight, grads[0], dy) if wanted[1] else None  # first: then dy may go
        return apply(Conv2d(self.window), grads[0], weight) if wanted[0] else None, dw

    def lower(self, node: Node) -> list[Call]:
        dy, weight = node.inputs
        d = (*self.window.dims(self.shape, weight.shape, dy.shape), 0, 0)
        return [Call(conv_kernel(d, "grad_input"), (dy, weight, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        weight = node.inputs[1].shape
        return 2.0 * node.inputs[0].size * weight[1] * weight[2] * weight[3]


@dataclass(frozen=True)
class Conv2dGradWeight(Op):
    """dw[k,c,u,v] = Σ over n,i,j of dy[n,k,i,j] x[n,c,i·s+u·d-p,j·s+v·d-p]."""

    window: Window
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "conv2d_grad_weight"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, dy = node.inputs
        grad_input = Conv2dGradInput(self.window, x.shape)
        return (apply(grad_input, dy, grads[0]) if wanted[0] else None,
                apply(Conv2d(self.window), x, grads[0]) if wanted[1] else None)

    def lower(self, node: Node) -> list[Call]:
        x, dy = node.inputs
        d = (*self.window.dims(x.shape, self.shape, dy.shape), 0, 0)
        return [Call(conv_kernel(d, "grad_weight"), (x, dy, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        return 2.0 * node.inputs[1].size * self.shape[1] * self.shape[2] * self.shape[3]


def paddings(padding: Any, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)) from a number, two, two pairs, "valid" or "same".

    "same" puts the odd row or column of an even reach at the bottom and right, as PyTorch.
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


def conv2d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """2-D convolution, arguments as torch.nn.functional.conv2d.

    x: (batch, channels, height, width); weight: (out, channels / groups, kernel height, width);
    bias: (out); stride, padding, dilation: a number or (height, width). padding may also be
    ((top, bottom), (left, right)), "valid" (none), or "same" (output as large as the input;
    stride 1). groups: how many parts of the input and output channels are convolved apart.
    Returns (batch, out, height', width'), with
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
    x, weight = as_tensor(x), as_tensor(weight)
    check_images("conv2d weight", weight.spec)
    strides, dilations = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    pads = paddings(padding, (weight.shape[2], weight.shape[3]), strides, dilations)
    window = Window(strides, pads, dilations, whole_number(groups, "groups"))
    return apply(Conv2d(window), x, weight, *(() if bias is None else (bias,)))
