"""Pixel shuffle: channels as pixels of larger images, and back; shuffled channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reshape import copy_call, reshape
from fastnn.ops.take import take
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError, Spec, element_strides


@dataclass(frozen=True)
class PixelShuffle(Op):
    """y[n, c, h r + i, w r + j] = x[n, c r r + i r + j, h, w]; or back, if not `up`."""

    keeps_elements: ClassVar[bool] = True

    factor: int
    up: bool

    @property
    def name(self) -> str:
        return "pixel_shuffle" if self.up else "pixel_unshuffle"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (n, c, h, w), r = inputs[0].shape, self.factor
        shape = (n, c // (r * r), h * r, w * r) if self.up else (n, c * r * r, h // r, w // r)
        return (Spec(shape, inputs[0].dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(PixelShuffle(self.factor, not self.up), grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        """One copy, over (n, c, h, i, w, j)."""
        x, y = node.inputs[0], node.outputs[0]
        r = self.factor
        large, small = (y.shape, x.shape) if self.up else (x.shape, y.shape)
        n, c, h, w = element_strides(large)
        pixels = (n, c, h * r, h, w * r, w)
        n, c, h, w = element_strides(small)
        channels = (n, c * r * r, h, c * r, w, c)
        shape = (*large[:2], small[2], r, small[3], r)
        strides = (channels, pixels) if self.up else (pixels, channels)
        return [copy_call(x, y, shape, *strides)]


def _images(name: str, input: Any) -> tuple[Tensor, tuple[int, ...]]:
    """The input as a batch of images, and the sizes in front of (channels, height, width)."""
    x = as_tensor(input)
    if x.ndim < 3:
        raise ShapeError(f"{name}: expected (.., channels, height, width), got shape {x.shape}")
    count = 1
    for size in x.shape[:-3]:
        count *= size
    return reshape(x, count, *x.shape[-3:]), x.shape[:-3]


@operation()
def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """(.., c r r, h, w) -> (.., c, h r, w r): r r channels become the pixels of a square.

    As torch.nn.functional.pixel_shuffle (Shi et al., 2016).

    >>> from fastnn.graph import constant
    >>> pixel_shuffle(constant(np.zeros((1, 12, 4, 5))), 2).shape
    (1, 3, 8, 10)
    """
    factor = whole_number(upscale_factor, "upscale_factor")
    x, before = _images("pixel_shuffle", input)
    if x.shape[1] % factor**2:
        raise ShapeError(f"pixel_shuffle: {x.shape[1]} channels are not divisible by "
                         f"upscale_factor² = {factor**2}")
    y = apply(PixelShuffle(factor, True), x)
    return reshape(y, *before, *y.shape[1:])


@operation()
def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """(.., c, h r, w r) -> (.., c r r, h, w): the reverse of `pixel_shuffle`.

    >>> from fastnn.graph import constant
    >>> pixel_unshuffle(constant(np.zeros((1, 3, 8, 10))), 2).shape
    (1, 12, 4, 5)
    """
    factor = whole_number(downscale_factor, "downscale_factor")
    x, before = _images("pixel_unshuffle", input)
    if x.shape[2] % factor or x.shape[3] % factor:
        raise ShapeError(f"pixel_unshuffle: height and width of {x.shape} are not divisible by "
                         f"downscale_factor {factor}")
    y = apply(PixelShuffle(factor, False), x)
    return reshape(y, *before, *y.shape[1:])


@operation()
def channel_shuffle(input: Any, groups: int) -> Tensor:
    """Channels of `groups` groups by turns: c = g k + i becomes i g + k (Zhang et al., 2018).

    input: (batch, channels, ...), as torch.nn.functional.channel_shuffle.

    >>> from fastnn.graph import constant
    >>> channel_shuffle(constant(np.zeros((1, 6, 4, 5))), 3).shape
    (1, 6, 4, 5)
    """
    x, count = as_tensor(input), whole_number(groups, "groups")
    if x.ndim < 3 or x.shape[1] % count:
        raise ShapeError(f"channel_shuffle: expected (batch, channels, ...), channels divisible by "
                         f"groups {count}, got shape {x.shape}")
    return take(x, 1, np.arange(x.shape[1]).reshape(count, -1).T.ravel())
