"""SGD's step of a table of which a batch uses few rows, from the gradients of those rows alone.

An embedding's gradient is zero for all other rows, and without weight decay they do not change. The
bits are those of the update of the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Call, Node, Op, Tensor, apply_all
from fastnn.spec import INDEX, Spec


@dataclass(frozen=True)
class RowSums(Op):
    """The sums of dy over the places of each row of a table that is used, and those rows.

    Inputs dy (n, width) and index (n). Outputs: sums (n, width) and rows (n), in ascending order;
    then zeros, and -1. `left_out` is a row without a gradient, or -1.
    """

    count: int
    left_out: int

    @property
    def name(self) -> str:
        return "row_sums"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[0], Spec(inputs[1].shape, INDEX))

    def lower(self, node: Node) -> list[Call]:
        n, width = node.inputs[0].shape
        return [Call("row_sums", (*node.inputs, *node.outputs),
                     (n, width, self.count, self.left_out))]


@dataclass(frozen=True)
class UpdateRows(Op):
    """Inputs: hyper, steps, a parameter (count, width), sums and rows, as `RowSums` gives them.

    place: of the parameter's step count in `steps`.
    """

    place: int
    effect: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "sgd_rows"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return ()

    def lower(self, node: Node) -> list[Call]:
        parameter, sums = node.inputs[2:4]
        d = (*parameter.shape, sums.shape[0], self.place)
        return [Call("sgd_rows", node.inputs, d)]

    def parameters(self, node: Node) -> Sequence[Tensor]:
        """The parameter that the node changes."""
        return node.inputs[2:3]

    def gradients(self, node: Node) -> Sequence[Tensor]:
        """The gradient of its rows."""
        return node.inputs[3:4]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"pass": 3.0 * node.inputs[3].bytes}

    def flops(self, node: Node) -> float:
        return 2.0 * node.inputs[3].size


def row_sums(dy: Tensor, index: Tensor, count: int, left_out: int) -> tuple[Tensor, Tensor]:
    """The gradient of the rows of a table that are used, and those rows."""
    sums, rows = apply_all(RowSums(count, left_out), dy, index)
    return sums, rows
