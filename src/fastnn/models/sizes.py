"""Images that are too small for a net: one message, before a net is made and when it is called."""

from __future__ import annotations

from typing import Any

from fastnn.ops import windows
from fastnn.spec import ShapeError


def check_size(net: str, image_size: Any, least: int) -> int:
    """The shorter side of images; ShapeError if it is below `least`.

    image_size: height and width, or one number for both.

    >>> check_size("alexnet", (64, 80), 63)
    64
    >>> check_size("alexnet", 32, 63)
    Traceback (most recent call last):
        ...
    fastnn.spec.ShapeError: alexnet needs images of at least 63x63, got 32x32
    """
    height, width = windows.pair(image_size, "image_size", 1)
    if min(height, width) < least:
        raise ShapeError(f"{net} needs images of at least {least}x{least}, got {height}x{width}")
    return min(height, width)


def check_images(net: str, x: Any, least: int) -> None:
    """Raise ShapeError unless a net's input is a batch of images that are large enough for it."""
    windows.check_images(net, x.spec)
    check_size(net, x.shape[2:], least)
