"""Tables of places along an axis: which elements of x an element of y is made of, and by how much.

A table has a row for each element of y: `index` (places, taps) and the weight of each tap, or None
where all are 1. A place outside of x is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.graph import Leaf, Tensor, constant
from fastnn.spec import FLOAT, INDEX


@dataclass(frozen=True, eq=False)
class Table:
    """Places along one axis: index int64 (places, taps), weight float32 alike or None."""

    index: np.ndarray
    weight: np.ndarray | None = None

    def is_identity(self, size: int) -> bool:
        """Whether y is x, of that size along the axis."""
        return (self.weight is None and self.index.shape == (size, 1)
                and np.array_equal(self.index[:, 0], np.arange(size)))

    def transposed(self, size: int, skip: int = -1) -> Table:
        """The table of the adjoint, for x of that size; `skip` is a place that gets nothing.

        >>> Table(np.array([[0], [2], [2]])).transposed(3).index.tolist()
        [[0, -1], [-1, -1], [1, 2]]
        """
        inside = (self.index >= 0) & (self.index < size) & (self.index != skip)
        if self.weight is not None:
            inside &= self.weight != 0
        place, tap = np.nonzero(inside)
        row = self.index[place, tap]
        order = np.argsort(row, kind="stable")
        row, place, tap = row[order], place[order], tap[order]
        counts = np.bincount(row, minlength=size)
        slot = np.arange(row.size) - (np.cumsum(counts) - counts)[row]
        shape = (size, max(int(counts.max(initial=0)), 1))
        index, weight = np.full(shape, -1, INDEX), None
        index[row, slot] = place
        if self.weight is not None:
            weight = np.zeros(shape, FLOAT)
            weight[row, slot] = self.weight[place, tap]
        return Table(index, weight)

    def is_even(self, size: int) -> bool:
        """Whether the adjoint's table would be about as large as this one."""
        inside = self.index[(self.index >= 0) & (self.index < size)]
        most = int(np.bincount(inside, minlength=1).max(initial=1))
        return size * most <= 4 * self.index.size + 64

    def tensors(self) -> tuple[Tensor, ...]:
        """The index and, if there are any, the weights, as constants."""
        some = (self.index,) if self.weight is None else (self.index, self.weight)
        return tuple(constant(array) for array in some)


def known(index: Tensor) -> np.ndarray | None:
    """The values of a constant of rank 3 at most, or None."""
    op = index.node.op
    if isinstance(op, Leaf) and op.kind == "constant" and index.ndim != 4:
        return np.asarray(op.source).reshape(index.shape)
    return None
