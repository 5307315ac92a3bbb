"""Input arrays: rank-4 arrays arrive row-major (NCHW) and are stored channels-last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Call, Node, Op, Tensor, apply, leaf
from fastnn.ops.reshape import copy_call, row_major, same_memory
from fastnn.spec import Spec, element_strides


@dataclass(frozen=True)
class FromRowMajor(Op):
    """A rank-4 tensor from a row-major array of the same elements."""

    keeps_elements: ClassVar[bool] = True

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "from_row_major"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape, inputs[0].dtype),)

    def view_of(self, node: Node) -> int | None:
        return 0 if same_memory(self.shape) else None

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        return [copy_call(x, y, self.shape, row_major(self.shape), element_strides(self.shape))]


def array_input(number: int, spec: Spec, layout: str) -> tuple[Tensor, Tensor]:
    """(leaf, tensor) for input `number`, an array as `spec` says.

    With layout "NHWC" an array of rank 4 is (batch, height, width, channels): as stored.
    """
    if len(spec.shape) != 4:
        raw = leaf("input", number, spec)
        return raw, raw
    if layout == "NHWC":
        n, h, w, c = spec.shape
        raw = leaf("input", number, Spec((n, c, h, w), spec.dtype))
        return raw, raw
    raw = leaf("input", number, Spec((spec.size,), spec.dtype))
    return raw, apply(FromRowMajor(spec.shape), raw)
