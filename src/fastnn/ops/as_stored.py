"""The memory of one tensor as another of its size, its elements in the order in which they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Call, Node, Op
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class AsStored(Op):
    """y's memory is x's: pixels of images (n, c, h, w) as rows (n h w, c), or back. By fusion."""

    keeps_elements: ClassVar[bool] = True

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "as_stored"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        if math.prod(self.shape) != x.size:
            raise ShapeError(f"as_stored: {x.shape} does not have the elements of {self.shape}")
        return (Spec(self.shape, x.dtype),)

    def view_of(self, node: Node) -> int | None:
        return 0

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        return []
