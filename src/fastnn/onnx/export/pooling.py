"""Pooling. Windows beyond the last whole one, and ones without padding in their mean, are spelt
out by padding and divisors, as runtimes differ about them."""

from __future__ import annotations

import numpy as np

from fastnn.graph import Node
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.table import translates
from fastnn.ops.adaptive_avg_pool2d import AdaptiveAvgPool2d
from fastnn.ops.avg_pool2d import AvgPool2d
from fastnn.ops.max_places import MaxPlaces
from fastnn.ops.max_pool2d import MaxPool2d
from fastnn.ops.windows import Pair
from fastnn.spec import FLOAT


def _ends(node: Node, windows: tuple[int, ...]) -> list[int]:
    """The padding behind each axis that gives the output's size with whole windows only."""
    kernel, stride, padding, dilation = (windows[i:i + 2] for i in (0, 2, 4, 6))
    sizes, counts = node.inputs[0].shape[2:], node.outputs[0].shape[2:]
    return [max(before, (count - 1) * step + spread * (k - 1) + 1 - size - before)
            for k, step, before, spread, size, count in zip(
                kernel, stride, padding, dilation, sizes, counts, strict=True)]


@translates(MaxPool2d)
def max_pool2d(build: Builder, node: Node, op: MaxPool2d) -> str:
    """MaxPool; the places that a gradient would need are left out."""
    build.traced.check_fixed(node, (2, 3))
    return _max_pool(build, node, op.pooling.windows, 1)[0]


def _max_pool(build: Builder, node: Node, windows: tuple[int, ...], outputs: int) -> list[str]:
    kernel, stride, padding, dilation = (list(windows[i:i + 2]) for i in (0, 2, 4, 6))
    return build.emit_all(
        "MaxPool", build.inputs_of(node), outputs, kernel_shape=kernel, strides=stride,
        pads=[*padding, *_ends(node, windows)], dilations=dilation)


@translates(MaxPlaces)
def max_places(build: Builder, node: Node, op: MaxPlaces) -> list[str]:
    """MaxPool; its places count through the whole tensor, ours through one image."""
    build.traced.check_fixed(node, (2, 3))
    windows, (x,) = op.windows, node.inputs
    if not windows[0]:
        kernel = _even_bins(node, op.size)
        if kernel is None:
            return [_adaptive_max(build, node, op.size)]
        windows = (*kernel, *kernel, 0, 0, 1, 1)
    y, places = _max_pool(build, node, windows, 2)
    pixels = build.numbers([x.shape[2] * x.shape[3]])
    return [y, build.emit("Mod", [places, pixels])]


def _bins(size: int, count: int) -> list[tuple[int, int]]:
    """Where each bin of adaptive pooling starts and ends."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _even_bins(node: Node, counts: Pair) -> Pair | None:
    """The size of the bins, if all have one."""
    (height, width), (rows, columns) = node.inputs[0].shape[2:], counts
    if height % rows or width % columns:
        return None
    return height // rows, width // columns


def _adaptive_max(build: Builder, node: Node, counts: Pair) -> str:
    """The maximum of each bin, along one axis and then along the other."""
    (x,), y = node.inputs, build.name_of(node.inputs[0])
    for axis, size, count in zip((2, 3), x.shape[2:], counts, strict=True):
        parts = []
        for start, end in _bins(size, count):
            part = build.emit("Slice", [y, *(build.numbers([n]) for n in (start, end, axis))])
            parts.append(build.reduce("ReduceMax", part, (axis,)))
        y = build.emit("Concat", parts, axis=axis)
    return y


@translates(AvgPool2d)
def avg_pool2d(build: Builder, node: Node, op: AvgPool2d) -> str:
    """AveragePool; with a divisor of its own it is the mean of whole windows, times a constant."""
    build.traced.check_fixed(node, (2, 3))
    windows = (*op.kernel, *op.stride, *op.padding, 1, 1)
    ends = _ends(node, windows)
    counted = op.count_include_pad or op.divisor_override
    y = build.emit("AveragePool", build.inputs_of(node), kernel_shape=list(op.kernel),
                   strides=list(op.stride), pads=[*op.padding, *ends],
                   count_include_pad=int(bool(counted)))
    area = op.kernel[0] * op.kernel[1]
    if op.divisor_override:
        return build.emit("Mul", [y, build.number(area / op.divisor_override)])
    if not counted or ends == list(op.padding):
        return y
    rows, columns = (
        _counts(*axis) for axis in zip(node.inputs[0].shape[2:], node.outputs[0].shape[2:],
                                       op.kernel, op.stride, op.padding, strict=True))
    factors = area / np.outer(rows, columns)
    return build.emit("Mul", [y, build.constant(factors, FLOAT)])


def _counts(size: int, count: int, kernel: int, stride: int, padding: int) -> list[int]:
    """How many places each window has, padding included, but not what is behind that."""
    starts = [i * stride - padding for i in range(count)]
    return [min(start + kernel, size + padding) - start for start in starts]


@translates(AdaptiveAvgPool2d)
def adaptive_avg_pool2d(build: Builder, node: Node, op: AdaptiveAvgPool2d) -> str:
    """GlobalAveragePool or AveragePool; with bins of several sizes two products of matrices."""
    (x,), (y,) = node.inputs, build.inputs_of(node)
    sizes, counts = x.shape[2:], op.size
    if counts == (1, 1):
        return build.emit("GlobalAveragePool", [y])
    build.traced.check_fixed(node, (2, 3))
    kernel = _even_bins(node, op.size)
    if kernel is not None:
        return build.emit("AveragePool", [y], kernel_shape=list(kernel), strides=list(kernel))
    means = [np.zeros((count, size), FLOAT) for size, count in zip(sizes, counts, strict=True)]
    for mean in means:
        for row, (start, end) in enumerate(_bins(mean.shape[1], mean.shape[0])):
            mean[row, start:end] = 1 / (end - start)
    y = build.emit("MatMul", [build.constant(means[0]), y])
    return build.emit("MatMul", [y, build.constant(means[1].T.copy())])
