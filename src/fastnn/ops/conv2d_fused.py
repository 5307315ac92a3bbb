"""Convolutions with a batch norm beside them; only the plan makes them (plan/fusion/fuse.py).

One by Winograd may read its input through a norm and a ReLU, and add up the statistics of the norm
that reads its output; its input gradient may add up what the norm's gradient needs, and take in
the gradient of a shortcut. One with 1x1 filters may read its input through a norm and a ReLU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fastnn.graph import Call, Node, Op, Tensor
from fastnn.ops.conv2d import Conv2d, Window
from fastnn.ops.conv_work import conv_work
from fastnn.spec import Spec

NORM = 5  # inputs that stand for one: x, mean, var, weight, bias of the norm in front


@dataclass(frozen=True)
class Conv2dStats(Op):
    """y = conv2d(x, weight[, bias]), with the mean and biased variance of its channels."""

    window: Window

    @property
    def name(self) -> str:
        return "conv2d_stats"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (y,) = Conv2d(self.window).infer(*inputs)
        return (y, Spec((y.shape[1],)), Spec((y.shape[1],)))

    def lower(self, node: Node) -> list[Call]:
        x, weight, *bias = node.inputs
        y, *moments = node.outputs
        d = _sizes(self.window, x, weight, y, len(bias))
        return [Call("winograd_forward_stats", (x, weight, *(bias or [weight]), y, *moments), d)]

    def again(self) -> Op:
        return Conv2d(self.window)

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        return _flops(node.inputs[1], node.outputs[0]) + 3.0 * node.outputs[0].size


@dataclass(frozen=True)
class NormConv2d(Op):
    """y = conv2d(max(0, batch_norm(x)), weight[, bias]), with its statistics if `stats`.

    Inputs x, mean, var, weight and bias of the norm, then weight and bias of the convolution.
    """

    window: Window
    eps: float
    stats: bool

    @property
    def name(self) -> str:
        return f"batch_norm_relu_conv2d{'_stats' * self.stats}"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        op = Conv2dStats(self.window) if self.stats else Conv2d(self.window)
        return op.infer(inputs[0], *inputs[NORM:])

    def lower(self, node: Node) -> list[Call]:
        x, weight, *bias = node.inputs[0], *node.inputs[NORM:]
        y, *moments = node.outputs
        buffers = (*node.inputs[:NORM], weight, *(bias or [weight]), y, *moments)
        return [Call(f"{_way(weight)}_forward_normed{'_stats' * self.stats}", buffers,
                     _sizes(self.window, x, weight, y, len(bias)), (self.eps,))]

    def again(self) -> Op:
        return replace(self, stats=False)

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        y = node.outputs[0]
        return (_flops(node.inputs[NORM], y) + 3.0 * self.stats * y.size
                + 3.0 * node.inputs[0].size)


@dataclass(frozen=True)
class NormConv2dGradWeight(Op):
    """dw of a convolution that reads max(0, batch_norm(x)).

    Inputs x, mean, var, weight, bias of the norm, then dy.
    """

    window: Window
    shape: tuple[int, ...]
    eps: float

    @property
    def name(self) -> str:
        return "batch_norm_relu_conv2d_grad_weight"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def lower(self, node: Node) -> list[Call]:
        x, dy, dw = node.inputs[0], node.inputs[NORM], node.outputs[0]
        return [Call(f"{_way(dw)}_grad_weight_normed", (*node.inputs, dw),
                     _sizes(self.window, x, dw, dy), (self.eps,))]

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        return _flops(node.outputs[0], node.inputs[NORM]) + 3.0 * node.inputs[0].size


@dataclass(frozen=True)
class Conv2dGradInputSums(Op):
    """dx = the transposed convolution of dy with w, and dweight and dbias of the norm behind x.

    Inputs dy, w, then that norm's x, mean, var, weight, bias; relu: whether a ReLU is between.
    """

    window: Window
    shape: tuple[int, ...]
    eps: float
    relu: bool

    @property
    def name(self) -> str:
        return f"conv2d_grad_input_and_batch_norm{'_relu' * self.relu}_sums"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape), inputs[5], inputs[6])

    def lower(self, node: Node) -> list[Call]:
        dy, weight = node.inputs[:2]
        d = (*_sizes(self.window, node.outputs[0], weight, dy)[:-1], self.relu)
        return [Call("winograd_grad_input_sums", (*node.inputs, *node.outputs), d, (self.eps,))]

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        return _flops(node.inputs[1], node.inputs[0]) + 4.0 * node.outputs[0].size


@dataclass(frozen=True)
class Conv2dGradInputShortcut(Op):
    """dx = (the transposed convolution of dy with w + shortcut) where out > 0, and dweight, dbias.

    The seam of two residual blocks: out = max(0, norm(x) + ...) is what the second one reads.
    Inputs dy, w, shortcut, out, then x, mean, var of that norm.
    """

    window: Window
    shape: tuple[int, ...]
    eps: float

    @property
    def name(self) -> str:
        return "conv2d_grad_input_add_relu_and_batch_norm_sums"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape), inputs[5], inputs[6])

    def lower(self, node: Node) -> list[Call]:
        dy, weight = node.inputs[:2]
        d = _sizes(self.window, node.outputs[0], weight, dy)
        return [Call("winograd_grad_input_shortcut", (*node.inputs, *node.outputs), d,
                     (self.eps,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (2,)

    def work(self, node: Node) -> Mapping[str, float]:
        return conv_work(node)

    def flops(self, node: Node) -> float:
        return _flops(node.inputs[1], node.inputs[0]) + 6.0 * node.outputs[0].size


def _way(weight: Tensor) -> str:
    """The kernels that read through a norm: Winograd's, and those for 1x1 filters."""
    return "conv2d" if weight.shape[2:] == (1, 1) else "winograd"


def _sizes(
    window: Window, x: Tensor, weight: Tensor, y: Tensor, has_bias: int = 0
) -> tuple[int, ...]:
    """What the kernels take: the sizes, whether there is a bias, no ReLU."""
    return (*window.dims(x.shape, weight.shape, y.shape), has_bias, 0)


def _flops(weight: Tensor, y: Tensor) -> float:
    """Of the direct sum, whichever pass."""
    return 2.0 * y.size * weight.shape[1] * weight.shape[2] * weight.shape[3]
