"""Products of matrices and of batches of them: a b, a bᵀ and aᵀ b.

The gradients of each are products of these three kinds, so that there are derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply, moved_bytes
from fastnn.ops.expand import side_by_side
from fastnn.ops.micro_batch import whole_batch_rows
from fastnn.ops.reduce import sum_to
from fastnn.spec import ShapeError, Spec, check_float


@dataclass(frozen=True)
class Product(Op):
    """y[b] = a[b] b[b], with the last two axes of a or of b (not of both) transposed.

    Operands are two matrices, or two of rank 3; of those either may have a batch of 1, which is
    one matrix for all of the batch.
    """

    a_transposed: bool = False
    b_transposed: bool = False

    @property
    def name(self) -> str:
        return f"matmul{'_at' * self.a_transposed}{'_bt' * self.b_transposed}"

    def _sizes(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, int, int, int]:
        """m, k, n, and the k of b."""
        m, k = a[-2:][::-1] if self.a_transposed else a[-2:]
        depth, n = b[-2:][::-1] if self.b_transposed else b[-2:]
        return m, k, n, depth

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        a, b = inputs
        check_float("matmul", a, b)
        m, k, n, depth = self._sizes(a.shape, b.shape)
        batches = {a.shape[:-2], b.shape[:-2]} - {(1,)}
        if k != depth or len(a.shape) != len(b.shape) or len(batches) > 1:
            raise ShapeError(f"matmul: {a.shape} and {b.shape} do not fit")
        return (Spec((*(batches.pop() if batches else a.shape[:-2]), m, n)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        a, b = node.inputs
        dy = grads[0]
        da = db = None
        if wanted[0]:
            da = (apply(Product(b_transposed=True), b, dy) if self.a_transposed else
                  apply(Product(b_transposed=not self.b_transposed), dy, b))
            da = sum_to(da, a.shape)
        if wanted[1]:
            db = (apply(Product(a_transposed=True), dy, a) if self.b_transposed else
                  apply(Product(a_transposed=not self.a_transposed), a, dy))
            db = sum_to(db, b.shape)
        return da, db

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        if node.outputs[0].ndim == 3:
            return side_by_side(node, of_batch)
        return not self.a_transposed and not of_batch[1]

    def lower(self, node: Node) -> list[Call]:
        a, b = node.inputs
        m, k, n, _ = self._sizes(a.shape, b.shape)
        batch, of_whole = 1, whole_batch_rows(m)
        if node.outputs[0].ndim == 3:
            batch, of_whole = node.outputs[0].shape[0], m
        one_a, one_b = (x.ndim == 3 and x.shape[0] == 1 != batch for x in (a, b))
        d = (batch, m, k, n, one_a, one_b, of_whole)
        return [Call(self.name, (a, b, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"operands": moved_bytes(node), "matrix products": self.flops(node)}

    def flops(self, node: Node) -> float:
        _, k, _, _ = self._sizes(node.inputs[0].shape, node.inputs[1].shape)
        return 2.0 * node.outputs[0].size * k


def product(a: Tensor, b: Tensor) -> Tensor:
    """a b, of two matrices or two batches of them (see `Product`)."""
    return apply(Product(), a, b)
