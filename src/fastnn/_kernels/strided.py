"""Decode the sizes of kernels over strided tensors, and compute the memory that one spans."""

from collections.abc import Sequence


def shape_and_strides(
    kernel: str, ndim: int, numbers: Sequence[int]
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """A shape and the strides of two tensors, one after the other; checked."""
    if not 0 <= ndim <= 8 or len(numbers) != 3 * ndim:
        raise ValueError(f"{kernel} takes up to 8 dimensions, each with 3 numbers, not {ndim}")
    return numbers[:ndim], numbers[ndim:2 * ndim], numbers[2 * ndim:]


def span(shape: Sequence[int], strides: Sequence[int], offset: int) -> int:
    """Elements from the buffer's start to just past the last one that is touched.

    ValueError if the first element touched lies before the buffer's start.
    """
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {tuple(shape)} has a negative size")
    if 0 in shape:
        return 0
    reach = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    first = offset + sum(r for r in reach if r < 0)
    if first < 0:
        raise ValueError(f"offset {offset} with strides {tuple(strides)} over shape "
                         f"{tuple(shape)} starts at element {first}, before the buffer")
    return offset + sum(r for r in reach if r > 0) + 1
