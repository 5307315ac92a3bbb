"""Slicing: a range of every axis, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.reshape import copy_call
from fastnn.spec import Spec, element_strides, storage_axes


@dataclass(frozen=True)
class Slice(Op):
    """y = x[start::step] along every axis, `sizes` elements of each."""

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "slice"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.sizes, inputs[0].dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        scatter = SliceGrad(self.starts, self.steps, node.inputs[0].shape)
        return (apply(scatter, grads[0]),)

    def view_of(self, node: Node) -> int | None:
        shape = node.inputs[0].shape
        shorter = [axis for axis, size in enumerate(self.sizes) if size != shape[axis]]
        outer = [axis for axis in storage_axes(len(shape)) if shape[axis] != 1]
        first_part = not any(self.starts) and all(step == 1 for step in self.steps)
        return 0 if first_part and shorter in ([], outer[:1]) else None

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        whole = (0, 1, node.inputs[0].shape[0])
        return (self.starts[0], self.steps[0], self.sizes[0]) == whole

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        strides = element_strides(x.shape)
        offset = sum(a * b for a, b in zip(self.starts, strides, strict=True))
        x_strides = [a * b for a, b in zip(self.steps, strides, strict=True)]
        return [copy_call(x, y, y.shape, x_strides, element_strides(y.shape), x_offset=offset)]


@dataclass(frozen=True)
class SliceGrad(Op):
    """dx = 0, then dx[start::step] = dy."""

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "slice_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape, inputs[0].dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Slice(self.starts, self.steps, node.inputs[0].shape), grads[0]),)

    def lower(self, node: Node) -> list[Call]:
        dy, dx = node.inputs[0], node.outputs[0]
        strides = element_strides(dx.shape)
        offset = sum(a * b for a, b in zip(self.starts, strides, strict=True))
        dx_strides = [a * b for a, b in zip(self.steps, strides, strict=True)]
        copy = copy_call(dy, dx, dy.shape, element_strides(dy.shape), dx_strides, y_offset=offset)
        return [Call("fill", (dx,), (dx.size,), (0.0,)), copy]


def ranges(x: Tensor, spans: Sequence[range]) -> Tensor:
    """x at a range of places of each axis."""
    sizes = tuple(len(span) for span in spans)
    if sizes == x.shape and all(span.step == 1 for span in spans):
        return x
    return apply(Slice(tuple(span.start for span in spans), tuple(span.step for span in spans),
                       sizes), x)
