"""What a convolution's time is made of: products by algorithm, and Winograd's transforms."""

from __future__ import annotations

from collections.abc import Mapping

from fastnn.graph import Node, moved_bytes

# By stride: values of a tile of x and of y (4x4), for a channel (`_kernels/winograd/simd/table.h`).
TILES = {1: (36, 36), 2: (81, 25)}
LANES = 16  # Winograd takes channels by so many


def conv_work(node: Node) -> Mapping[str, float]:
    """Amounts of each kind of work of a node whose one call has the sizes of `Window.dims`.

    A product counts as two operations, one with a tap outside of the image not at all.
    """
    (call,) = node.op.lower(node)
    operands = moved_bytes(node)
    n, h, w, c, k, kh, kw, *strides_paddings_dilations, groups, oh, ow = call.d[:16]
    if call.kernel.startswith("winograd"):
        stride = strides_paddings_dilations[0]
        rows, columns, side = (h, w, 4 * stride) if "grad_input" in call.kernel else (oh, ow, 4)
        tiles = n * -(-rows // side) * -(-columns // side)
        c, k = -(-c // LANES) * LANES, -(-k // LANES) * LANES
        of_x, of_y = TILES[stride]
        return {"operands": operands, "tile products": 2.0 * of_x * tiles * c * k,
                "tile values": float(tiles * (of_x * c + of_y * k)),
                "tile weights": float(of_x * c * k)}
    steps = strides_paddings_dilations
    taps = _inside(h, oh, kh, *steps[::2]) * _inside(w, ow, kw, *steps[1::2])
    kind = ("line products" if call.kernel.startswith("planar") else
            "grouped products" if groups > 1 else "products")
    return {"operands": operands, kind: 2.0 * n * taps * (c // groups) * k}


def _inside(size: int, outputs: int, taps: int, stride: int, padding: int, dilation: int) -> int:
    """Pairs of an output and a tap that lie inside, along one axis."""
    count = 0
    for tap in range(taps):
        offset = tap * dilation - padding
        first = max(0, -(offset // stride))
        end = min(outputs, (size - 1 - offset) // stride + 1)
        count += max(0, end - first)
    return count
