"""A single image or sequence in place of a batch of them, as PyTorch's layers take it."""

from __future__ import annotations

from fastnn.graph import Tensor
from fastnn.ops.reshape import reshape
from fastnn.ops.windows import check_channels, check_images, check_sequences
from fastnn.spec import ShapeError


def as_batch(name: str, x: Tensor, rank: int, channels: int, taker: str) -> tuple[Tensor, bool]:
    """x as a batch of `rank` axes, and whether it was a single example, with one axis less.

    Raises ShapeError unless it has the channels that `taker` (described) takes: an axis less may
    also be a batch of images without an axis of channels, which is told by nothing else.
    """
    single = x.ndim == rank - 1
    if single and x.shape[0] != channels:
        hint = f"{'gray images' if rank == 4 else 'sequences of one channel'}: x[:, None]; "
        if x.shape[-1] == channels:
            hint = "with the channels last: " + (
                "x.permute(2, 0, 1)" if rank == 4 else "x.transpose(0, 1)") + "; "
        raise ShapeError(
            f"{name}: got shape {x.shape}, which as a single example has {x.shape[0]} channels, "
            f"expected {channels} for {taker}; {hint}one example as a batch: x[None]")
    if single:
        x = reshape(x, 1, *x.shape)
    if rank == 4:
        check_images(name, x.spec)
    else:
        check_sequences(name, x.spec)
    check_channels(name, x.shape, channels, taker)
    return x, single


def as_it_came(y: Tensor, single: bool) -> Tensor:
    """y, without its axis of the batch if the input had none."""
    return reshape(y, y.shape[1:]) if single else y
