"""Choose how a convolution is computed: by a fixed rule of its shape, or by the user's choice."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn._kernels.conv.sizes import direct_way
from fastnn.ops.micro_batch import whole_batch_rows

SETTINGS = ("auto", "winograd", "direct", "blas")
LEAST_GAIN = 1.1  # what `_gain` must be for Winograd to be faster in all three passes
LEAST_TILES = 64  # of all images: fewer do not pay for the transform of the weights

_chosen = "auto"


def set_conv_algorithm(algorithm: str) -> None:
    """Choose how convolutions are computed, from the next plan on.

    "auto": by a fixed rule of the shape, never by timing, so that runs are repeatable.
    "winograd": F(4x4, 3x3) (Lavin & Gray 2016) or its stride-2 variant, wherever it applies: 3x3
    filters of stride 1 or 2 and dilation 1 in one group. Its rounding errors are three to six times
    those of "direct" (stride 2: up to three times).
    "direct": the sum as it is defined. It is also used where Winograd does not apply.
    "blas": matrix products by SciPy's BLAS, for every convolution. A vendor's BLAS may be faster
    than our kernels on processors that these are not tuned for. "auto" never picks it, since its
    speed and bits differ from machine to machine.

    Raises ValueError for an unknown name.

    >>> set_conv_algorithm("direct")
    >>> get_conv_algorithm()
    'direct'
    >>> set_conv_algorithm("auto")
    """
    global _chosen
    if not isinstance(algorithm, str) or algorithm not in SETTINGS:
        raise ValueError(f"unknown convolution algorithm {algorithm!r}; there are "
                         f"{', '.join(SETTINGS)}")
    _chosen = algorithm


def get_conv_algorithm() -> str:
    """The algorithm that `set_conv_algorithm` chose."""
    return _chosen


def _gain(images: int, rows: int, columns: int, inputs: int, outputs: int, stride: int,
          reads_input: bool) -> float:
    """How many times fewer products Winograd needs, with the transforms counted as products.

    rows, columns: of y, or of every stride-th pixel of dx. reads_input: whether the direction reads
    x, not only dy. A whole tile of 4x4 outputs takes 36 products (stride 2: 81) instead of 144. The
    transforms of tiles take as long as the products of 40 channels (stride 2: 10), those of weights
    as long as the products of 40 tiles (stride 1: covered by LEAST_TILES). With stride 2 a tile of
    x has 81 pixels: its transform takes as long as the products of 28 outputs, or half as long with
    16 channels, whose pixels lie close together.
    """
    tiles = -(-rows // 4) * -(-columns // 4)
    if images * tiles < LEAST_TILES:
        return 0.0
    whole = rows * columns / (16 * tiles)
    channels = 2 * inputs * outputs / (inputs + outputs)
    if stride == 1:
        return 144 / 36 * whole * channels / (channels + 40)
    transforms = 10 / channels
    if reads_input:
        transforms = 28 / (1 + 16 / inputs) / outputs + 2 / inputs
    return 144 / 81 * whole / (1 + transforms + 40 / (images * tiles))


def _is_planar(direction: str, width: int, inputs: int, outputs: int) -> bool:
    """Whether vectors along a line of the image are better filled than vectors of channels.

    width: of the image that the direction writes; for "grad_weight" of dy. inputs, outputs: the
    channels of a group that it reads and writes; for "grad_weight" those of x and dy.
    """
    if 3 * width < 2 * (-(-width // 8) * 8):  # fills less than two thirds of its vectors
        return False
    if direction == "grad_weight":
        return inputs == 1 and outputs <= 24
    return inputs <= 64 and (outputs <= 12 or (inputs == 1 and outputs <= 24))


def conv_way(setting: str, d: Sequence[int], direction: str) -> str:
    """How a pass ("forward", "grad_input", "grad_weight") of a layer of sizes d is computed.

    setting: one of SETTINGS. The result is "winograd", "blas", "planar", or how the direct kernels
    compute it: "linear", "depthwise", "padded", "inner" or "general".
    """
    if setting == "blas":
        return "blas"
    n, h, w, c, k, kh, kw, stride_h, stride_w, _, _, dilation_h, dilation_w, groups, oh, ow = d[:16]
    shape = (kh, kw, stride_h, stride_w, dilation_h, dilation_w, groups)
    if setting != "direct" and shape in ((3, 3, 1, 1, 1, 1, 1), (3, 3, 2, 2, 1, 1, 1)):
        rows, columns = oh, ow
        if direction == "grad_input":
            rows, columns = -(-h // stride_h), -(-w // stride_w)
        gain = _gain(whole_batch_rows(n), rows, columns, c, k, stride_h, direction != "grad_input")
        if setting == "winograd" or gain >= LEAST_GAIN:
            return "winograd"
    is_depthwise = 1 < groups == c
    if shape[2:6] == (1, 1, 1, 1) and kh * kw > 1 and not is_depthwise:
        inputs, outputs = c // groups, k // groups
        sides = (w, outputs, inputs) if direction == "grad_input" else (ow, inputs, outputs)
        if _is_planar(direction, *sides) and (groups == 1 or direction != "grad_weight"):
            return "planar"
    way: str = direct_way(d, direction)
    return way
