"""One image or a batch, sequences or images: pooling computes on batches of images."""

from __future__ import annotations

from fastnn.graph import Tensor
from fastnn.ops.reshape import reshape
from fastnn.ops.windows import check_images, check_sequences


def as_batch(name: str, x: Tensor, axes: int) -> Tensor:
    """Images or sequences (`axes` 2 or 1), a batch of them or one, as a batch of images.

    Raises ShapeError for other ranks.
    """
    if x.ndim == axes + 1:
        x = reshape(x, 1, *x.shape)
    (check_images if axes == 2 else check_sequences)(name, x.spec)
    return x if axes == 2 else reshape(x, *x.shape[:2], 1, x.shape[2])


def as_given(y: Tensor, x: Tensor, axes: int) -> Tensor:
    """A batch of images y with the axes that x had before `as_batch`."""
    shape = y.shape[:2] + y.shape[4 - axes:]
    return reshape(y, shape[1:] if x.ndim == axes + 1 else shape)
