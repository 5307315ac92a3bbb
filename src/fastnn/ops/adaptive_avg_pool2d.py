"""2-D average pooling to a given output size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.windows import Pair, check_images
from fastnn.spec import Spec


@dataclass(frozen=True)
class AdaptiveAvgPool2d(Op):
    """y[i] = the mean of x[floor(i h / oh) : ceil((i + 1) h / oh)], along both axes."""

    size: Pair

    @property
    def name(self) -> str:
        return "adaptive_avg_pool2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_images("adaptive_avg_pool2d", inputs[0])
        return (Spec((*inputs[0].shape[:2], *self.size)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(AdaptiveAvgPool2dGrad(node.inputs[0].shape), grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        n, c, h, w = node.inputs[0].shape
        d = (n, h, w, c, *self.size)
        return [Call("adaptive_avg_pool2d_forward", (node.inputs[0], node.outputs[0]), d)]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


@dataclass(frozen=True)
class AdaptiveAvgPool2dGrad(Op):
    """dx = dy / bin size, at every place of the bin."""

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "adaptive_avg_pool2d_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        oh, ow = node.inputs[0].shape[2:]
        return (apply(AdaptiveAvgPool2d((oh, ow)), grads[0]),)

    def lower(self, node: Node) -> list[Call]:
        n, c, h, w = self.shape
        d = (n, h, w, c, *node.inputs[0].shape[2:])
        return [Call("adaptive_avg_pool2d_backward", (node.inputs[0], node.outputs[0]), d)]
