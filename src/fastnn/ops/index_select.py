"""Elements of an axis by a list of places: index_select, embedding, one_hot, index_add."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import flag, integer, real
from fastnn.graph import Tensor, apply, as_tensor, constant
from fastnn.ops.binary import add
from fastnn.ops.places import Places, as_index, checked_index
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.tables import known
from fastnn.ops.take import Take, TakeGrad, take
from fastnn.spec import INDEX, ShapeError, check_float


@operation("index_select")
def index_select(input: Any, dim: int, index: Any) -> Tensor:
    """y[.., k, ..] = input[.., index[k], ..] along the axis `dim`, as torch.index_select.

    index: (places,) integers from 0 to the axis's size - 1, an array or symbolic; the gradient adds
    up where a place is taken several times. Raises ShapeError for constant indices out of range;
    those of a batch are checked before it runs (ValueError).

    >>> index_select(constant(np.zeros((2, 5))), 1, [0, 3, 3]).shape
    (2, 3)
    """
    x: Tensor = as_tensor(input)
    if x.ndim == 0:
        checked_index("index_select", index, 1, "a scalar")
        return x
    (axis,) = check_axes(x, (dim,))
    places = _list_of_places("index_select", x, axis, index)
    return take(x, axis, places)


def _list_of_places(name: str, x: Tensor, axis: int, index: Any) -> Tensor:
    places = checked_index(name, index, x.shape[axis], f"axis {axis} of {x.shape}")
    if places.ndim > 1:
        raise ShapeError(f"{name}: index must be of rank 1, got shape {places.shape}")
    return reshape(places, 1) if places.ndim == 0 else places


@operation("index_add")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
    """y = input, with alpha source[.., k, ..] added at each place index[k] of the axis `dim`.

    index: (places,) integers, as of index_select; source: like input, with as many places as index.

    >>> index_add(constant(np.zeros((4, 5))), 0, [0, 3, 3], constant(np.ones((3, 5)))).shape
    (4, 5)
    """
    x, added = as_tensor(input), as_tensor(source)
    (axis,) = check_axes(x, (dim,))
    places = _list_of_places("index_add", x, axis, index)
    expected = (*x.shape[:axis], places.shape[0], *x.shape[axis + 1:])
    if added.shape != expected:
        raise ShapeError(f"index_add: source {added.shape} does not fit {places.shape[0]} places "
                         f"of axis {axis} of {x.shape}; expected {expected}")
    added = added if alpha == 1 else added * real(alpha, "alpha")
    return add(x, apply(TakeGrad(axis, x.shape[axis]), added, places))


@operation()
def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:
    """y[..] = weight[input[..]]: a row for each index, as torch.nn.functional.embedding.

    input: integers of any shape, from 0 to rows - 1; weight: (rows, size). y: (*input.shape, size).
    padding_idx: a row whose gradient is 0. scale_grad_by_freq: each row's gradient is divided by
    the times that its index is in the batch. sparse has no effect: gradients are dense. max_norm,
    which would write to the weight while computing, is refused (ValueError).

    >>> embedding(constant(np.array([[0, 2], [1, 1]])), constant(np.zeros((3, 4)))).shape
    (2, 2, 4)
    """
    weight = as_tensor(weight)
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight must be (rows, size), got {weight.shape}")
    check_float("embedding: weight", weight.spec)
    if max_norm is not None:
        raise ValueError("embedding: max_norm rewrites the weight during the forward pass, which "
                         "fastnn does not: scale the rows after each step instead")
    real(norm_type, "norm_type")
    flag(sparse, "sparse")
    rows, size = weight.shape
    skip = -1
    if padding_idx is not None:
        skip = integer(padding_idx, "padding_idx", f"a row from {-rows} to {rows - 1}", -rows,
                       rows - 1) % rows
    index = checked_index("embedding", input, rows, f"weight {weight.shape}")
    flat = index if index.ndim == 1 else reshape(index, index.numel())
    if flag(scale_grad_by_freq, "scale_grad_by_freq"):
        weight = _by_frequency(weight, flat)
    return reshape(take(weight, 0, flat, skip=skip), *index.shape, size)


def _by_frequency(weight: Tensor, index: Tensor) -> Tensor:
    """The weight itself, but its gradient is divided by how often each row is in `index`."""
    ones = constant(np.ones((index.shape[0], 1), np.float32))
    counts = FUNCTIONS["relu"](apply(TakeGrad(0, weight.shape[0]), ones, index) - 1.0) + 1.0
    scaled = weight / counts
    return add(scaled, (weight - scaled).detach())


@operation(by_value=True)
def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """y[.., j] = 1 where tensor[..] = j, else 0: int64, of shape (*tensor.shape, num_classes).

    tensor: class numbers from 0 to num_classes - 1. num_classes may be left out for a constant
    array; a symbolic tensor has no values that could tell it (ValueError).

    >>> one_hot(constant(np.array([0, 2])), 3).shape
    (2, 3)
    """
    index = as_index("one_hot", tensor)
    classes = integer(num_classes, "num_classes", "an integer of at least 1, or -1", -1)
    values = known(index)
    if classes == -1 and values is not None and values.size:
        classes = int(values.max()) + 1
    if classes < 1:
        raise ValueError(f"one_hot: num_classes must be given for a tensor without values, got "
                         f"{num_classes} for {index.shape}")
    if values is not None:
        checked_index("one_hot", values, classes, "the result")
    # Row i of the unit matrix is a window of one line of zeros with a 1 in the middle.
    line = np.zeros(2 * classes - 1, INDEX)
    line[classes - 1] = 1
    window = constant(np.arange(classes) + classes - 1)
    rows = reshape(index, index.numel(), 1)
    places = apply(Places(classes, -1, "one_hot: the result", negative=False), rows, window)
    flat = apply(Take((0,), (False,)), constant(line), reshape(places, places.numel()))
    return reshape(flat, *index.shape, classes)
