"""2-D average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.windows import Pair, check_images, output_sizes
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class AvgPool2d(Op):
    """y = the sum of each window / its divisor."""

    kernel: Pair
    stride: Pair
    padding: Pair
    ceil_mode: bool
    count_include_pad: bool
    divisor_override: int

    @property
    def name(self) -> str:
        return "avg_pool2d"

    def dims(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes that the kernels take, from logical shapes."""
        n, c, h, w = x
        return (n, h, w, c, *self.kernel, *self.stride, *self.padding, *y[2:],
                self.count_include_pad, self.divisor_override, *self.padding)

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        check_images("avg_pool2d", x)
        if any(2 * pad > kernel for pad, kernel in zip(self.padding, self.kernel, strict=True)):
            raise ShapeError(f"avg_pool2d: padding {self.padding} is more than half of the window "
                             f"{self.kernel}")
        height, width = self.padding
        size = output_sizes("avg_pool2d", x, self.kernel, self.stride,
                            ((height,) * 2, (width,) * 2), (1, 1), self.ceil_mode)
        return (Spec((*x.shape[:2], *size)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(AvgPool2dGrad(self, node.inputs[0].shape), grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        return [Call("avg_pool2d_forward", (x, y), self.dims(x.shape, y.shape))]


@dataclass(frozen=True)
class AvgPool2dGrad(Op):
    """dx = dy / divisor, at every place of the window; overlapping windows add."""

    pooling: AvgPool2d
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "avg_pool2d_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(self.pooling, grads[0]),)

    def lower(self, node: Node) -> list[Call]:
        dy, dx = node.inputs[0], node.outputs[0]
        return [Call("avg_pool2d_backward", (dy, dx), self.pooling.dims(self.shape, dy.shape))]
