"""Shared by convolution and pooling: pairs of arguments, checks and output sizes."""

from __future__ import annotations

from operator import index
from typing import Any, SupportsIndex

from fastnn.spec import ShapeError, Spec, check_float

Pair = tuple[int, int]
MOST = 2**31 - 1  # the product of two such arguments fits the 64 bits of a kernel's sizes


def numbers(value: Any, name: str, least: int, axes: int) -> tuple[int, ...]:
    """A number for each of one or two axes, or one for all, also as (one,); each >= `least`."""
    given = (value,) * axes if isinstance(value, SupportsIndex) else value
    if isinstance(value, (tuple, list)) and len(value) == 1:
        given = tuple(value) * axes
    try:
        found = tuple(index(number) for number in given)
    except (TypeError, ValueError):
        found = ()
    if len(found) == 1:
        found *= axes
    if len(found) != axes or min(found) < least or max(found) > MOST:
        words = "one or two integers" if axes == 2 else "an integer"
        raise ShapeError(f"{name} must be {words} of at least {least} and at most {MOST}, "
                         f"got {value!r}")
    return found


def pair(value: Any, name: str, least: int) -> Pair:
    """A number for both axes, or (height, width); each at least `least`."""
    first, second = numbers(value, name, least, 2)
    return first, second


def strides_or_kernel(stride: Any, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """A stride for each axis; by default (None, or nothing in a tuple) the kernel's size."""
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not stride)
    return numbers(stride, "stride", 1, len(kernel)) if given else kernel


def bins(images: tuple[int, ...], axes: int, output_size: Any) -> Pair:
    """Height and width that adaptive pooling of images gives, or of sequences (`axes` 1).

    output_size: a number, or one for each axis, of which None keeps the axis.
    """
    sizes = (None,) * axes if output_size is None else output_size
    if isinstance(sizes, (tuple, list)) and len(sizes) == axes:
        sizes = tuple(images[4 - axes + i] if size is None else size
                      for i, size in enumerate(sizes))
    height, width = (1, *numbers(sizes, "output_size", 1, axes))[-2:]
    return height, width


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """An integer of at least `least`, and not 0."""
    try:
        number = index(value)
    except TypeError:
        number = 0
    if not least <= number <= MOST or not number:
        raise ShapeError(f"{name} must be an integer of at least {least} and at most {MOST}"
                         f"{'' if least > 0 else ', not 0'}, got {value!r}")
    return number


def check_channels(name: str, shape: tuple[int, ...], expected: int, taker: str) -> None:
    """Raise ShapeError unless the images have the channels that `taker` (described) takes."""
    if shape[1] != expected:
        hint = ""
        if shape[3:] == (expected,):
            hint = (f"; the last axis has {expected}: for channels-last images use layout='NHWC', "
                    "or x.transpose(0, 3, 1, 2)")
        raise ShapeError(f"{name}: input {shape} has {shape[1]} channels, expected {expected} for "
                         f"{taker}{hint}")


def check_images(name: str, x: Spec) -> None:
    """Raise ShapeError unless x is a float32 batch of images."""
    if len(x.shape) != 4:
        hint = {2: "; images that lie flat: x.reshape(-1, channels, height, width)",
                3: "; gray images: x[:, None]; a single image: x[None]"}.get(len(x.shape), "")
        raise ShapeError(
            f"{name}: expected (batch, channels, height, width), got shape {x.shape}{hint}")
    check_float(name, x)


def check_sequences(name: str, x: Spec) -> None:
    """Raise ShapeError unless x is a float32 batch of sequences."""
    if len(x.shape) != 3:
        hint = "; a single sequence: x[None]" if len(x.shape) == 2 else ""
        raise ShapeError(f"{name}: expected (batch, channels, length), got shape {x.shape}{hint}")
    check_float(name, x)


def output_size(
    name: str, size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int,
    ceil_mode: bool = False,
) -> int:
    """How many windows fit along one axis (PyTorch's rule)."""
    reach = dilation * (kernel - 1) + 1
    space = size + sum(padding) - reach
    count = (space + (stride - 1 if ceil_mode else 0)) // stride + 1
    if count < 1:
        raise ShapeError(
            f"{name}: a window that spans {reach} is larger than its input of "
            f"{size} with padding {padding}")
    if ceil_mode and (count - 1) * stride >= size + padding[0]:
        count -= 1  # the last window must start inside the input or its leading padding
    return count


def output_sizes(
    name: str, x: Spec, kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair,
    ceil_mode: bool = False,
) -> Pair:
    """How many windows fit an image along both axes; the error names its whole shape."""
    try:
        height, width = (
            output_size(name, *axis, ceil_mode)
            for axis in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True))
    except ShapeError:
        spans = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
        raise ShapeError(
            f"{name}: a window of {kernel} spans {spans}, which is larger than the input "
            f"{x.shape} with padding {padding}") from None
    return height, width
