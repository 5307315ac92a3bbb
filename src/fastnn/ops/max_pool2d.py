"""2-D max-pooling; the forward pass stores where each maximum is, the gradient goes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag
from fastnn.graph import Call, Node, Op, Tensor, apply, apply_all, as_tensor, moved_bytes
from fastnn.ops.public import operation
from fastnn.ops.windows import Pair, check_images, output_sizes, pair
from fastnn.spec import BYTE, ShapeError, Spec


@dataclass(frozen=True)
class Pooling:
    """The arguments of a max-pooling."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    def dims(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes that the kernels take, from logical shapes."""
        n, c, h, w = x
        return (n, h, w, c, *self.kernel, *self.stride, *self.padding, *self.dilation, *y[2:])


@dataclass(frozen=True)
class MaxPool2d(Op):
    """y = the largest value of each window; second output: its uint8 place, the first at a tie."""

    pooling: Pooling

    @property
    def name(self) -> str:
        return "max_pool2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        p = self.pooling
        check_images("max_pool2d", x)
        if any(2 * pad > kernel for pad, kernel in zip(p.padding, p.kernel, strict=True)):
            raise ShapeError(f"max_pool2d: padding {p.padding} is more than half of the window "
                             f"{p.kernel}")
        if p.kernel[0] * p.kernel[1] > 256:
            raise ShapeError(f"max_pool2d: a window of {p.kernel} has more than 256 places")
        height, width = p.padding
        size = output_sizes("max_pool2d", x, p.kernel, p.stride, ((height,) * 2, (width,) * 2),
                            p.dilation, p.ceil_mode)
        shape = (*x.shape[:2], *size)
        return (Spec(shape), Spec(shape, BYTE))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x = node.inputs[0]
        return (apply(MaxPool2dGrad(self.pooling, x.shape), grads[0], node.outputs[1]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, (y, offsets) = node.inputs[0], node.outputs
        return [Call("max_pool2d_forward", (x, y, offsets), self.pooling.dims(x.shape, y.shape))]


@dataclass(frozen=True)
class MaxPool2dInfer(Op):
    """Max-pooling that stores no places, for when no gradient is needed."""

    pooling: Pooling

    @property
    def name(self) -> str:
        return "max_pool2d_infer"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return MaxPool2d(self.pooling).infer(*inputs)[:1]

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        return [Call("max_pool2d_infer", (x, y), self.pooling.dims(x.shape, y.shape))]


@dataclass(frozen=True)
class NormMaxPool2d(Op):
    """Max-pooling of max(0, batch_norm(x)); inputs x, mean, var, weight, bias of the norm.

    Only fusion makes it, if nothing else reads the norm's output.
    """

    pooling: Pooling
    eps: float

    @property
    def name(self) -> str:
        return "batch_norm_relu_max_pool2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return MaxPool2d(self.pooling).infer(*inputs[:1])

    def lower(self, node: Node) -> list[Call]:
        d = self.pooling.dims(node.inputs[0].shape, node.outputs[0].shape)
        return [Call("norm_max_pool2d_forward", (*node.inputs, *node.outputs), d, (self.eps,))]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 3.0 * node.inputs[0].size


@dataclass(frozen=True)
class MaxPool2dGrad(Op):
    """dx = dy at each window's winner, 0 elsewhere; overlapping windows add."""

    pooling: Pooling
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "max_pool2d_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def lower(self, node: Node) -> list[Call]:
        dy = node.inputs[0]
        d = self.pooling.dims(self.shape, dy.shape)
        return [Call("max_pool2d_backward", (*node.inputs, node.outputs[0]), d)]


@operation()
def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value of each window, arguments as torch.nn.functional.max_pool2d.

    x: (batch, channels, height, width). The gradient goes to the first winner of each window.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> max_pool2d(constant(np.zeros((1, 3, 8, 8))), 2).shape
    (1, 3, 4, 4)
    """
    kernel = pair(kernel_size, "kernel_size", 1)
    strides = kernel if stride is None else pair(stride, "stride", 1)
    pooling = Pooling(kernel, strides, pair(padding, "padding", 0),
                      pair(dilation, "dilation", 1), flag(ceil_mode, "ceil_mode"))
    return apply_all(MaxPool2d(pooling), as_tensor(x))[0]
