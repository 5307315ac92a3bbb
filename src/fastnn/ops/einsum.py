"""Einstein sums: products of any tensors, summed over the axes whose letters the result lacks.

Operands are joined from left to right. A pair is one batch of matrix products, or a broadcast
product where nothing is summed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.permute import permute
from fastnn.ops.product import Product
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reshape import check_axes, reshape
from fastnn.spec import ShapeError


@dataclass(frozen=True)
class _Labelled:
    """A tensor and a letter for each axis; the axes of "..." have numbers from the right."""

    tensor: Tensor
    labels: tuple[str, ...]

    def size(self, label: str) -> int:
        """The size of the axis of a label; 1 if it has none."""
        return self.tensor.shape[self.labels.index(label)] if label in self.labels else 1

    def sizes(self, labels: Sequence[str]) -> list[int]:
        return [self.size(label) for label in labels]

    def total(self, labels: Sequence[str]) -> int:
        """The number of elements of these axes."""
        return math.prod(self.sizes(labels))

    def ordered(self, labels: Sequence[str]) -> Tensor:
        """The tensor with its axes in the order of `labels`, which has all of them."""
        order = [self.labels.index(label) for label in labels if label in self.labels]
        return self.tensor if order == sorted(order) else permute(self.tensor, order)

    def kept(self, needed: set[str]) -> _Labelled:
        """Without the axes that nobody needs, which are summed."""
        gone = [axis for axis, label in enumerate(self.labels) if label not in needed]
        if not gone:
            return self
        return _Labelled(sum(self.tensor, gone),
                         tuple(label for label in self.labels if label in needed))


def _diagonal(x: _Labelled, equation: str) -> _Labelled:
    """The diagonal of axes of one letter, until each letter is there once."""
    for label in x.labels:
        places = [axis for axis, other in enumerate(x.labels) if other == label]
        if len(places) == 1:
            continue
        first, second = places[:2]
        size = x.tensor.shape[first]
        if x.tensor.shape[second] != size:
            raise ShapeError(f"einsum {equation!r}: {label!r} stands for axes of sizes {size} and "
                             f"{x.tensor.shape[second]} of shape {x.tensor.shape}")
        others = [axis for axis in range(x.tensor.ndim) if axis not in (first, second)]
        y = permute(x.tensor, [*others, first, second])
        y = reshape(y, *y.shape[:-2], size * size)[..., ::size + 1]
        labels = (*(x.labels[axis] for axis in others), label)
        return _diagonal(_Labelled(y, labels), equation)
    return x


def _labels(term: str, ndim: int, equation: str) -> tuple[str, ...]:
    """A label for each axis of an operand."""
    head, dots, tail = term.partition("...")
    letters = head + tail
    if not all(letter.isascii() and letter.isalpha() for letter in letters):
        raise ValueError(f"einsum {equation!r}: {term!r} must be letters and at most one '...'")
    more = ndim - len(letters)
    if more < 0 or (more and not dots):
        raise ShapeError(f"einsum {equation!r}: {term!r} names {len(letters)} axes, and its "
                         f"operand has {ndim}")
    return (*head, *map(str, range(more, 0, -1)), *tail)


def _parse(
    equation: str, tensors: Sequence[Tensor]
) -> tuple[list[_Labelled], tuple[str, ...]]:
    """The labelled operands, and the labels of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ValueError(f"einsum {equation!r} names {len(terms)} operands, got {len(tensors)}")
    operands = [_Labelled(x, _labels(term, x.ndim, equation))
                for term, x in zip(terms, tensors, strict=True)]
    every = [label for operand in operands for label in operand.labels]
    most = max((int(label) for label in every if label.isdigit()), default=0)
    dots = tuple(map(str, range(most, 0, -1)))
    if not arrow:
        once = sorted(label for label in set(every) if label.isalpha() and every.count(label) == 1)
        return operands, (*dots, *once)
    head, given, tail = right.partition("...")
    result = (*head, *(dots if given else ()), *tail)
    wrong = [label for label in result if result.count(label) > 1 or label not in every]
    if wrong:
        raise ValueError(f"einsum {equation!r}: the result's {wrong[0]!r} is named twice, or by no "
                         "operand")
    return operands, result


def _check_sizes(operands: Sequence[_Labelled], equation: str) -> None:
    known: dict[str, int] = {}
    for operand in operands:
        for label, size in zip(operand.labels, operand.tensor.shape, strict=True):
            if known.setdefault(label, size) not in (size, 1) and size != 1:
                raise ShapeError(f"einsum {equation!r}: {label!r} stands for sizes {known[label]} "
                                 f"and {size}")
            known[label] = size if known[label] == 1 else known[label]


def _times(a: _Labelled, b: _Labelled, needed: set[str]) -> _Labelled:
    """The broadcast product, summed over labels that nobody needs."""
    labels = (*a.labels, *(label for label in b.labels if label not in a.labels))
    sides = [reshape(side.ordered(labels), side.sizes(labels)) for side in (a, b)]
    return _Labelled(sides[0] * sides[1], labels).kept(needed)


def _pair(a: _Labelled, b: _Labelled, needed: set[str]) -> _Labelled:
    """The product of two operands, summed over labels that nobody needs later."""
    a = a.kept(needed | {label for label in b.labels if b.size(label) > 1 or label in needed})
    b = b.kept(needed | set(a.labels))
    both = [label for label in a.labels if label in b.labels]
    summed = [label for label in both if label not in needed]
    batch = [label for label in both if label in needed]
    rows = [label for label in a.labels if label not in both]
    columns = [label for label in b.labels if label not in both]
    if not summed or not (rows or columns) or any(a.size(one) != b.size(one) for one in both):
        return _times(a, b, needed)
    # Whichever order the axes have, one of three kinds of products reads them without a copy.
    a_turned = a.labels == (*batch, *summed, *rows)
    b_turned = b.labels == (*batch, *columns, *summed) and not a_turned
    first = [*batch, *summed, *rows] if a_turned else [*batch, *rows, *summed]
    last = [*batch, *columns, *summed] if b_turned else [*batch, *summed, *columns]
    sizes = [a.total(batch)] if batch else []
    depth = a.total(summed)
    m, n = a.total(rows), b.total(columns)
    matrix = reshape(a.ordered(first), *sizes, *((depth, m) if a_turned else (m, depth)))
    other = reshape(b.ordered(last), *sizes, *((n, depth) if b_turned else (depth, n)))
    y = apply(Product(a_turned, b_turned), matrix, other)
    return _Labelled(reshape(y, *a.sizes([*batch, *rows]), *b.sizes(columns)),
                     (*batch, *rows, *columns))


@operation()
def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that an equation of letters names, as torch.einsum.

    Each letter stands for an axis: "ij,jk->ik" is y[i, k] = Σ_j a[i, j] b[j, k]. Letters that the
    result lacks are summed over; a letter twice in one operand is its diagonal; "..." stands for
    axes that broadcast. Without "->" the result has the letters that occur once, in the alphabet's
    order. operands: tensors, or one sequence of them.

    Raises ValueError for an equation that is none, ShapeError for operands that do not fit it.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> einsum("bhqd,bhkd->bhqk", constant(np.zeros((2, 4, 5, 8))), np.zeros((2, 4, 6, 8))).shape
    (2, 4, 5, 6)
    >>> einsum("...ii->...i", constant(np.zeros((7, 3, 3)))).shape
    (7, 3)
    """
    if not isinstance(equation, str):
        raise TypeError(f"einsum takes an equation such as 'ij,jk->ik' first, got "
                        f"{type(equation).__name__}")
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError(f"einsum {equation!r} needs an operand at least")
    parsed, result = _parse(equation, [as_tensor(operand) for operand in operands])
    parsed = [_diagonal(operand, equation) for operand in parsed]
    _check_sizes(parsed, equation)
    y, *others = parsed
    for place, other in enumerate(others, 1):
        needed = {label for later in others[place:] for label in later.labels} | set(result)
        y = _pair(y, other, needed)
    y = y.kept(set(result))
    return y.ordered(result)


@operation()
def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """The product of two tensors, summed over pairs of axes, as torch.tensordot.

    dims: how many last axes of a meet as many first axes of b, or (axes of a, axes of b). The
    result has the other axes of a, then those of b. Raises ShapeError for axes that do not fit.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> tensordot(constant(np.zeros((2, 3, 4))), np.zeros((4, 3, 5)), ([1, 2], [1, 0])).shape
    (2, 5)
    """
    a, b = as_tensor(a), as_tensor(b)
    if isinstance(dims, int) and not isinstance(dims, bool):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: dims {dims} is too many for {a.shape} and {b.shape}")
        pairs: Any = (range(a.ndim - dims, a.ndim), range(dims))
    elif isinstance(dims, (list, tuple)) and len(dims) == 2:
        pairs = dims
    else:
        raise TypeError(f"tensordot: dims must be a number or two lists of axes, got {dims!r:.60}")
    ours, theirs = check_axes(a, tuple(pairs[0])), check_axes(b, tuple(pairs[1]))
    if [a.shape[axis] for axis in ours] != [b.shape[axis] for axis in theirs]:
        raise ShapeError(f"tensordot: axes {ours} of {a.shape} and {theirs} of {b.shape} differ")
    rows = [axis for axis in range(a.ndim) if axis not in ours]
    columns = [axis for axis in range(b.ndim) if axis not in theirs]
    depth = math.prod(a.shape[axis] for axis in ours)
    sizes = [a.shape[axis] for axis in rows], [b.shape[axis] for axis in columns]
    matrix = reshape(permute(a, [*rows, *ours]), math.prod(sizes[0]), depth)
    other = reshape(permute(b, [*theirs, *columns]), depth, math.prod(sizes[1]))
    return reshape(apply(Product(), matrix, other), *sizes[0], *sizes[1])
