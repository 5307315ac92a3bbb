"""Parts of a tensor along an axis: slices, which are views where memory allows it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, SupportsIndex

from fastnn.arguments import integer
from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reshape import one_axis, reshape, sizes_of
from fastnn.ops.slice import Slice
from fastnn.spec import ShapeError


def part(x: Tensor, axis: int, start: int, size: int) -> Tensor:
    """The places start .. start + size - 1 of an axis."""
    if size == x.shape[axis]:
        return x
    starts = tuple(start if i == axis else 0 for i in range(x.ndim))
    sizes = tuple(size if i == axis else old for i, old in enumerate(x.shape))
    return apply(Slice(starts, (1,) * x.ndim, sizes), x)


def _parts(x: Tensor, axis: int, ends: Sequence[int]) -> tuple[Tensor, ...]:
    return tuple(part(x, axis, start, max(end - start, 0)) for start, end in pairwise((0, *ends)))


def _with_axis(name: str, input: Any, dim: Any) -> tuple[Tensor, int]:
    x = as_tensor(input)
    if not x.ndim:
        raise ShapeError(f"{name}: a scalar has no axis")
    return x, one_axis(x, dim)


@operation("split")
def split(
    tensor: Any, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Parts of a size along axis `dim`, the last of what is left; or parts of the sizes given.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> [x.shape for x in split(constant(np.zeros((5, 3))), 2)]
    [(2, 3), (2, 3), (1, 3)]
    """
    if not isinstance(split_size_or_sections, SupportsIndex):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    x, axis = _with_axis("split", tensor, dim)
    length = x.shape[axis]
    size = integer(split_size_or_sections, "split_size_or_sections",
                   "an integer of at least 1, or a list of sizes", 1 if length else 0)
    return _parts(x, axis, [*range(size, length, size), length] if length else [0])


@operation("split_with_sizes")
def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of these sizes along axis `dim`; ShapeError unless they add up to its length.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> [x.shape for x in split_with_sizes(constant(np.zeros((5, 3))), [1, 4])]
    [(1, 3), (4, 3)]
    """
    (x, axis), sizes = _with_axis("split", input, dim), sizes_of((split_sizes,))
    if min(sizes, default=0) < 0 or sum(sizes) != x.shape[axis]:
        raise ShapeError(f"split: sizes {tuple(sizes)} do not add up to {x.shape[axis]}, axis "
                         f"{axis} of shape {x.shape}")
    return _parts(x, axis, [sum(sizes[:count]) for count in range(1, len(sizes) + 1)])


@operation("chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts along axis `dim`, of ceil(length / chunks) places, the last of fewer.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> [x.shape[0] for x in chunk(constant(np.zeros(9)), 4)]
    [3, 3, 3]
    """
    count = integer(chunks, "chunks", "an integer of at least 1", 1)
    x, axis = _with_axis("chunk", input, dim)
    if not x.shape[axis]:
        return (x,) * count
    return split(x, -(-x.shape[axis] // count), axis)


@operation("tensor_split")
def tensor_split(
    input: Any, indices_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """So many parts along axis `dim`, the first ones longer by one; or parts cut at places.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> [x.shape[0] for x in tensor_split(constant(np.zeros(7)), 3)]
    [3, 2, 2]
    >>> [x.shape[0] for x in tensor_split(constant(np.zeros(7)), (1, -2))]
    [1, 4, 2]
    """
    x, axis = _with_axis("tensor_split", input, dim)
    length = x.shape[axis]
    if isinstance(indices_or_sections, SupportsIndex):
        count = integer(indices_or_sections, "indices_or_sections", "an integer of at least 1", 1)
        ends = [i * (length // count) + min(i, length % count) for i in range(1, count + 1)]
    else:
        cuts = sizes_of((indices_or_sections,))
        ends = [*(slice(None, cut).indices(length)[1] for cut in cuts), length]
    return _parts(x, axis, ends)


@operation("unbind")
def unbind(input: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along axis `dim`, without that axis.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> [x.shape for x in unbind(constant(np.zeros((2, 3))))]
    [(3,), (3,)]
    """
    x, axis = _with_axis("unbind", input, dim)
    return tuple(select(x, axis, place) for place in range(x.shape[axis]))


@operation("narrow")
def narrow(input: Any, dim: int, start: int, length: int) -> Tensor:
    """`length` places of axis `dim`, from `start`, which counts from the end if it is negative.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> narrow(constant(np.zeros((5, 3))), 0, -2, 2).shape
    (2, 3)
    """
    x, axis = _with_axis("narrow", input, dim)
    first, size, whole = integer(start, "start"), integer(length, "length"), x.shape[axis]
    place = first + whole if first < 0 else first
    if place < 0 or size < 0 or place + size > whole:
        raise ShapeError(f"narrow: {size} places from {first} are not all in axis {axis} of shape "
                         f"{x.shape}")
    return part(x, axis, place, size)


@operation("select")
def select(input: Any, dim: int, index: int) -> Tensor:
    """Place `index` of axis `dim`, without that axis.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> select(constant(np.zeros((5, 3))), 1, -1).shape
    (5,)
    """
    x, axis = _with_axis("select", input, dim)
    place, size = integer(index, "index"), x.shape[axis]
    if not -size <= place < size:
        raise ShapeError(f"select: index {place} is outside of axis {axis} of shape {x.shape}")
    return reshape(part(x, axis, place % size, 1), (*x.shape[:axis], *x.shape[axis + 1:]))
