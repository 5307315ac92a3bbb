"""Indexing as NumPy's: numbers, slices, None, Ellipsis, lists of places and constant masks."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from fastnn.arguments import integer
from fastnn.graph import Tensor, as_tensor
from fastnn.operators import Operators
from fastnn.ops.permute import permute
from fastnn.ops.places import check_range, joined_places, whole_numbers
from fastnn.ops.reshape import reshape
from fastnn.ops.slice import ranges
from fastnn.ops.take import take
from fastnn.spec import INDEX, ShapeError


def _is_index(item: Any) -> bool:
    return (isinstance(item, SupportsIndex) and not isinstance(item, (bool, Operators))
            and not np.ndim(item))  # type: ignore[arg-type]


def _span(item: slice, size: int) -> range:
    """The range of places that a slice takes of an axis."""
    try:
        span = range(*item.indices(size))
    except TypeError:
        raise TypeError(f"a slice's ends and step must be integers, got {item!r:.80}") from None
    except ValueError:  # Python's own, for a step of 0
        raise ValueError(f"a slice's step must not be 0, got {item!r:.80}") from None
    if not span and size:
        raise ShapeError(f"slice {item} of an axis of size {size} is empty")
    return span


def _is_list(item: Any) -> bool:
    """Whether an item of a key is a list of places, a mask or a symbolic tensor."""
    return isinstance(item, (list, np.ndarray, Operators)) and not _is_index(item)


def _unpacked(item: Any) -> list[Any]:
    """An item as items of one axis each: a mask is a list of places for each of its axes."""
    if not _is_list(item):
        return [item]
    if isinstance(item, Operators):
        tensor = as_tensor(item)
        if tensor.dtype != INDEX:
            raise TypeError("a tensor is indexed by integers and by constant masks (arrays of "
                            "bool): how many elements a computed mask selects is not known before "
                            "a run; write x * mask")
        return [tensor]
    try:
        array = np.asarray(item)
    except ValueError:  # lists of several lengths
        raise TypeError(f"an index must be integers of one shape, got {item!r:.80}") from None
    if array.dtype == bool and array.ndim:
        return [_Mask(places, size) for places, size in zip(array.nonzero(), array.shape,
                                                            strict=True)]
    return [whole_numbers(array, "an index")]


class _Mask:
    """The places of a mask along one of its axes, which has `size` places."""

    def __init__(self, places: np.ndarray, size: int) -> None:
        self.places, self.size = places, size


def _items(x: Tensor, key: Any) -> list[Any]:
    """The key as one item for each axis, and None for each new one."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if sum(item is Ellipsis for item in keys) > 1:
        raise ShapeError(f"too many indices for shape {x.shape}: {key}")
    if not any(item is Ellipsis for item in keys):
        keys.append(Ellipsis)
    items = [one for item in keys for one in _unpacked(item)]
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > x.ndim:
        raise ShapeError(f"too many indices for shape {x.shape}: {key}")
    place = next(i for i, item in enumerate(items) if item is Ellipsis)
    items[place:place + 1] = [slice(None)] * (x.ndim - used)
    return items


def _places(item: Any, size: int) -> Any:
    """A list of places or a number, checked: an int64 array, or a symbolic tensor."""
    if isinstance(item, Tensor):
        return item
    if isinstance(item, _Mask):
        if item.size != size:
            raise ShapeError(f"a mask with {item.size} places does not fit an axis of size {size}")
        return item.places
    places = np.asarray(item, INDEX)
    check_range(places, size, "the axis", -size)
    return places


def getitem(x: Any, key: Any) -> Tensor:
    """x[key] by NumPy's rules: numbers, slices, None, Ellipsis, lists of places, constant masks.

    Lists of places are integers, negative ones from the end: arrays, lists or symbolic int64
    tensors, which broadcast together. Their axes stand where the first of them stood, or in front
    if a slice or None is between them. Raises ShapeError for places out of range; those of a batch
    are checked before it runs (ValueError).

    >>> from fastnn.graph import constant
    >>> x = constant(np.zeros((4, 5, 6)))
    >>> getitem(x, (0, slice(1, None, 2), None)).shape
    (2, 1, 6)
    >>> getitem(x, (slice(None), [0, 2, 2], np.array([[1], [-1]]))).shape
    (4, 2, 3)
    """
    x = as_tensor(x)
    items = _items(x, key)
    has_lists = any(isinstance(item, (np.ndarray, Tensor, _Mask)) for item in items)
    spans: list[range] = []
    shape: list[int] = []   # of the slices' result
    lists: dict[int, Any] = {}  # places, by the axis of that result
    order: list[int] = []   # numbers of the items that are lists
    for number, item in enumerate(items):
        if item is None:
            shape.append(1)
            continue
        size = x.shape[len(spans)]
        if isinstance(item, slice):
            spans.append(_span(item, size))
            shape.append(len(spans[-1]))
        elif _is_index(item) and not has_lists:
            place = _number(item, size)
            spans.append(range(place, place + 1))
        elif _is_index(item) or isinstance(item, (np.ndarray, Tensor, _Mask)):
            item = _number(item, size) if _is_index(item) else item
            lists[len(shape)] = _places(item, size)
            order.append(number)
            spans.append(range(size))
            shape.append(size)
        else:
            raise TypeError(f"a tensor is indexed by numbers, slices, None, lists of places and "
                            f"constant masks, not by {type(item).__name__}")
    y = reshape(ranges(x, spans), tuple(shape))
    if not lists:
        return y
    return _by_lists(y, lists, order[-1] - order[0] == len(order) - 1)


def _number(item: Any, size: int) -> int:
    index = integer(item, "an index")
    if not -size <= index < size:
        raise ShapeError(f"index {index} is outside of an axis of size {size}")
    return index % size


def _by_lists(x: Tensor, lists: dict[int, Any], together: bool) -> Tensor:
    """x at lists of places of some axes; `together`: they are neighbours, and stay in place."""
    axes = list(lists)
    try:
        found = np.broadcast_shapes(*(places.shape for places in lists.values()))
    except ValueError:
        shapes = " and ".join(str(places.shape) for places in lists.values())
        raise ShapeError(f"indices of shapes {shapes} do not broadcast") from None
    first = axes[0] if together else 0
    if axes != list(range(first, first + len(axes))):
        rest = [axis for axis in range(x.ndim) if axis not in lists]
        x = permute(x, rest[:first] + axes + rest[first:])
    sizes = x.shape[first:first + len(axes)]
    before, after = x.shape[:first], x.shape[first + len(axes):]
    places = joined_places(list(lists.values()), sizes)
    count = math.prod(found)
    y = take(reshape(x, *before, math.prod(sizes), *after), first, reshape(places, count))
    return reshape(y, *before, *found, *after)
