"""Convolutions fused with a batch norm; only fusion makes them (plan/fusion/fuse.py).

A Winograd convolution can apply a norm and a ReLU to its input as it reads it, and sum the
statistics of the norm after it as it writes. Its input gradient can compute the sums for the norm's
gradient and add the gradient of a shortcut. A 1x1 convolution can apply a norm and a ReLU to its
input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastnn.graph import Call, Node, Op
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.conv_kernels import MOMENTS, NORMED, NOTHING, SHORTCUT, SUMS, X
from fastnn.ops.convolution import Forward, GradInput, GradWeight
from fastnn.spec import Spec

NORM = 5  # inputs in place of one: x, mean, var, weight and bias of the norm before


@dataclass(frozen=True)
class Conv2dStats(Forward):
    """y = conv2d(x, weight[, bias]), with the mean and biased variance of its channels."""

    @property
    def name(self) -> str:
        return "conv2d_stats"

    def operands(self) -> tuple[str, str]:
        return X, MOMENTS

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (y,) = Conv2d(self.arguments).infer(*inputs)
        return (y, Spec((y.shape[1],)), Spec((y.shape[1],)))

    def lower(self, node: Node) -> list[Call]:
        x, weight, *bias = node.inputs
        buffers = (x, weight, *(bias or (None,)), *node.outputs)
        return [Call(self.kernel(node), buffers, (*self.dims(node), len(bias), 0))]

    def recompute_op(self) -> Op:
        return Conv2d(self.arguments, way=self.way)

    def flops_beside(self, node: Node) -> float:
        return 3.0 * node.outputs[0].size


@dataclass(frozen=True)
class NormConv2d(Forward):
    """y = conv2d(max(0, batch_norm(x)), weight[, bias]), with its statistics if `stats`.

    Inputs x, mean, var, weight and bias of the norm, then weight and bias of the convolution.
    """

    eps: float
    stats: bool
    weight_at = NORM

    @property
    def name(self) -> str:
        return f"batch_norm_relu_conv2d{'_stats' * self.stats}"

    def operands(self) -> tuple[str, str]:
        return NORMED, MOMENTS if self.stats else NOTHING

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        op = Conv2dStats(self.arguments) if self.stats else Conv2d(self.arguments)
        return op.infer(inputs[0], *self.filters(inputs))

    def lower(self, node: Node) -> list[Call]:
        weight, *bias = node.inputs[NORM:]
        buffers = (*node.inputs[:NORM], weight, *(bias or (None,)), *node.outputs)
        return [Call(self.kernel(node), buffers, (*self.dims(node), len(bias), 0), (self.eps,))]

    def recompute_op(self) -> Op:
        return replace(self, stats=False)

    def flops_beside(self, node: Node) -> float:
        return 3.0 * self.stats * node.outputs[0].size + 3.0 * node.inputs[0].size


@dataclass(frozen=True)
class NormConv2dGradWeight(GradWeight):
    """dw of a convolution that reads max(0, batch_norm(x)).

    Inputs x, mean, var, weight, bias of the norm, then dy.
    """

    eps: float
    dy_at = NORM

    @property
    def name(self) -> str:
        return "batch_norm_relu_conv2d_grad_weight"

    def operands(self) -> tuple[str, str]:
        return NORMED, NOTHING

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.kernel(node), (*node.inputs, node.outputs[0]),
                     (*self.dims(node), 0, 0), (self.eps,))]

    def flops_beside(self, node: Node) -> float:
        return 3.0 * node.inputs[0].size


@dataclass(frozen=True)
class Conv2dGradInputSums(GradInput):
    """dx = the transposed convolution of dy with w, and dweight and dbias of the norm behind x.

    Inputs dy, w, then that norm's x, mean, var, weight (and bias, if a ReLU follows it: `relu`).
    """

    eps: float
    relu: bool

    @property
    def name(self) -> str:
        return f"conv2d_grad_input_and_batch_norm{'_relu' * self.relu}_sums"

    def operands(self) -> tuple[str, str]:
        return X, SUMS

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape), inputs[5], inputs[5])

    def lower(self, node: Node) -> list[Call]:
        no_bias = () if self.relu else (None,)
        return [Call(self.kernel(node), (*node.inputs, *no_bias, *node.outputs),
                     (*self.dims(node), 0, self.relu), (self.eps,))]

    def flops_beside(self, node: Node) -> float:
        return 4.0 * node.outputs[0].size


@dataclass(frozen=True)
class Conv2dGradInputShortcut(GradInput):
    """dx = (the transposed convolution of dy with w + shortcut) where out > 0, and dweight, dbias.

    Between two residual blocks: the second one reads out = max(0, norm(x) + ...).
    Inputs dy, w, shortcut, out, then x, mean, var of that norm.
    """

    eps: float

    @property
    def name(self) -> str:
        return "conv2d_grad_input_add_relu_and_batch_norm_sums"

    def operands(self) -> tuple[str, str]:
        return X, SHORTCUT

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape), inputs[5], inputs[6])

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.kernel(node), (*node.inputs, *node.outputs), (*self.dims(node), 0, 0),
                     (self.eps,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (2,)

    def flops_beside(self, node: Node) -> float:
        return 6.0 * node.outputs[0].size
