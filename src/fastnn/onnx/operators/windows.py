"""Where the windows of convolutions and pooling lie: strides, dilations, padding by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.onnx.operators.call import Call

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Windows:
    """Of two spatial axes; of one, the first axis here has a size of 1."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]

    @property
    def is_symmetric(self) -> bool:
        """Whether both sides of each axis have the same padding, at most half of the kernel."""
        return all(before == after and 2 * before <= size
                   for (before, after), size in zip(self.pads, self.kernel, strict=True))


def windows_of(call: Call, spatial: Sequence[int], kernel: Sequence[int]) -> Windows:
    """Windows on these spatial sizes, by the attributes of a call."""
    if len(spatial) not in (1, 2):
        raise call.unsupported(f"{len(spatial)} spatial axes; one and two are there")
    count = len(spatial)
    strides = list(call.attribute("strides", [1] * count))
    dilations = list(call.attribute("dilations", [1] * count))
    flat = list(call.attribute("pads", [0] * 2 * count))
    pads = [(flat[i], flat[i + count]) for i in range(count)]
    auto = call.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for size, k, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
            total = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
            less, more = total // 2, total - total // 2
            pads.append((less, more) if auto == "SAME_UPPER" else (more, less))
    elif auto == "VALID":
        pads = [(0, 0)] * count
    if count == 1:
        kernel, strides, dilations = [1, *kernel], [1, *strides], [1, *dilations]
        pads = [(0, 0), *pads]
    return Windows(_two(kernel), _two(strides), _two(dilations), (pads[0], pads[1]))


def _two(values: Sequence[int]) -> tuple[int, int]:
    first, second = values
    return int(first), int(second)


def as_images(x: Any) -> Any:
    """(n, c, length) as (n, c, 1, length); images as they are."""
    return x.reshape(*x.shape[:2], 1, x.shape[2]) if x.ndim == 3 else x


def as_before(y: Any, rank: int) -> Any:
    """The inverse of `as_images`."""
    return y.reshape(*y.shape[:2], y.shape[3]) if rank == 3 else y
