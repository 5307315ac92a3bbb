"""Max-pooling of images; the forward pass stores where each maximum is, the gradient goes there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply, moved_bytes
from fastnn.ops.max_places import PlacesOfOffsets, ReadAtPlaces
from fastnn.ops.windows import Pair, check_images, output_sizes
from fastnn.spec import BYTE, ShapeError, Spec

MOST_PLACES = 256  # that a byte can name


@dataclass(frozen=True)
class Pooling:
    """The arguments of a max-pooling."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    @property
    def windows(self) -> tuple[int, ...]:
        """All that says where windows lie, in the kernels' order."""
        return (*self.kernel, *self.stride, *self.padding, *self.dilation)

    def size(self, x: Spec) -> Pair:
        """Height and width of the output, or ShapeError."""
        check_images("max_pool2d", x)
        if any(2 * pad > kernel for pad, kernel in zip(self.padding, self.kernel, strict=True)):
            raise ShapeError(f"max_pool2d: padding {self.padding} is more than half of the window "
                             f"{self.kernel}")
        height, width = self.padding
        return output_sizes("max_pool2d", x, self.kernel, self.stride,
                            ((height,) * 2, (width,) * 2), self.dilation, self.ceil_mode)

    def dims(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes that the kernels take, from logical shapes."""
        n, c, h, w = x
        return (n, h, w, c, *self.windows, *y[2:])


@dataclass(frozen=True)
class MaxPool2d(Op):
    """y = the largest value of each window; second output: its uint8 place, the first at a tie."""

    pooling: Pooling

    @property
    def name(self) -> str:
        return "max_pool2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        shape = (*x.shape[:2], *self.pooling.size(x))
        if math.prod(self.pooling.kernel) > MOST_PLACES:
            raise ShapeError(f"max_pool2d: a window of {self.pooling.kernel} has more than "
                             f"{MOST_PLACES} places")
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

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        height, width = self.shape[2:]
        op = PlacesOfOffsets(self.pooling.windows, (height, width))
        places = apply(op, node.inputs[1])
        return (apply(ReadAtPlaces(), grads[0], places), None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return all(of_batch)

    def lower(self, node: Node) -> list[Call]:
        dy = node.inputs[0]
        d = self.pooling.dims(self.shape, dy.shape)
        return [Call("max_pool2d_backward", (*node.inputs, node.outputs[0]), d)]
