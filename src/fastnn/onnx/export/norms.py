"""Normalisation and softmax."""

from __future__ import annotations

import math

import numpy as np

from fastnn.graph import Node, Tensor
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import unsupported
from fastnn.onnx.export.table import translates
from fastnn.ops.batch_norm import BatchNorm, BatchNormStats
from fastnn.ops.group_norm import GroupNorm
from fastnn.ops.layer_norm import LayerNorm
from fastnn.ops.rms_norm import RMSNorm
from fastnn.ops.softmax import Softmax
from fastnn.spec import FLOAT, storage_axes


@translates(BatchNorm)
def batch_norm(build: Builder, node: Node, op: BatchNorm) -> str:
    """BatchNormalization with statistics that are given, or were computed from the batch."""
    x, mean, var, weight, bias = build.inputs_of(node)
    return build.emit("BatchNormalization", [x, weight, bias, mean, var], epsilon=op.eps)


@translates(BatchNormStats)
def batch_norm_stats(build: Builder, node: Node, op: BatchNormStats) -> list[str]:
    """Mean and biased variance of each channel."""
    build.traced.check_fixed(node, (1,))
    (x,), name = node.inputs, build.name_of(node.inputs[0])
    axes = [0, *range(2, x.ndim)]
    mean = build.reduce("ReduceMean", name, axes)
    centred = build.emit("Sub", [name, mean])
    var = build.reduce("ReduceMean", build.emit("Mul", [centred, centred]), axes)
    flat = build.numbers([x.shape[1]])
    return [build.emit("Reshape", [values, flat]) for values in (mean, var)]


@translates(GroupNorm)
def group_norm(build: Builder, node: Node, op: GroupNorm) -> str:
    """InstanceNormalization, of channels or, reshaped, of groups."""
    (x, *_), groups = node.inputs, op.groups
    name, weight, bias = build.inputs_of(node)
    channels = x.shape[1]
    if groups == channels and x.ndim > 2:
        return build.emit("InstanceNormalization", [name, weight, bias], epsilon=op.eps)
    build.traced.check_fixed(node, range(1, x.ndim))
    rows = build.emit("Reshape", [name, build.numbers([0, groups, -1])])
    plain = (build.constant(np.full(groups, value, FLOAT)) for value in (1.0, 0.0))
    normed = build.emit("InstanceNormalization", [rows, *plain], epsilon=op.eps)
    y = build.emit("Reshape", [normed, build.numbers([-1, *x.shape[1:]])])
    by_channel = build.numbers([channels, *[1] * (x.ndim - 2)])
    weight, bias = (build.emit("Reshape", [values, by_channel]) for values in (weight, bias))
    return build.emit("Add", [build.emit("Mul", [y, weight]), bias])


def _last_axes(node: Node, x: Tensor, size: int) -> int:
    """How many axes, the last in memory, are one row of so many values."""
    sizes = [x.shape[axis] for axis in storage_axes(x.ndim)]
    for count in range(1, x.ndim + 1):
        if math.prod(sizes[-count:]) == size:
            return count
    raise unsupported(node, f"normalises {size} values, which are no last axes")


def _as_stored(build: Builder, x: Tensor, back: bool, name: str) -> str:
    """Images with channels as their last axis, in which a row is a run; or back."""
    if x.ndim != 4:
        return name
    return build.emit("Transpose", [name], perm=[0, 3, 1, 2] if back else [0, 2, 3, 1])


def _parameters(build: Builder, node: Node, count: int) -> list[str]:
    """Weights and biases in the shape of a row, as they lie in memory."""
    x, *parameters = node.inputs
    row = tuple(x.shape[axis] for axis in storage_axes(x.ndim)[x.ndim - count:])
    names = []
    for values in parameters:
        name = _as_stored(build, values, False, build.name_of(values))
        names.append(name if values.ndim == 4 or values.shape == row else
                     build.emit("Reshape", [name, build.numbers(row)]))
    return names


@translates(LayerNorm)
def layer_norm(build: Builder, node: Node, op: LayerNorm) -> str:
    """LayerNormalization over the last axes in memory; images are turned for it."""
    x, count = node.inputs[0], _last_axes(node, node.inputs[0], op.size)
    row = [x.shape[axis] for axis in storage_axes(x.ndim)[x.ndim - count:]]
    given = _parameters(build, node, count) or [build.constant(np.ones(row, FLOAT))]
    name = _as_stored(build, x, False, build.name_of(x))
    y = build.emit("LayerNormalization", [name, *given], axis=-count, epsilon=op.eps)
    return _as_stored(build, x, True, y)


@translates(RMSNorm)
def rms_norm(build: Builder, node: Node, op: RMSNorm) -> str:
    """x / sqrt(mean of x² + eps), in operators that every opset has."""
    x, count = node.inputs[0], _last_axes(node, node.inputs[0], op.size)
    name = _as_stored(build, x, False, build.name_of(x))
    axes = range(x.ndim - count, x.ndim)
    square = build.reduce("ReduceMean", build.emit("Mul", [name, name]), axes)
    root = build.emit("Sqrt", [build.emit("Add", [square, build.number(op.eps)])])
    y = build.emit("Div", [name, root])
    for weight in _parameters(build, node, count):
        y = build.emit("Mul", [y, weight])
    return _as_stored(build, x, True, y)


@translates(Softmax)
def softmax(build: Builder, node: Node, op: Softmax) -> str:
    """Softmax or LogSoftmax, over the axis that is last in memory."""
    axis = storage_axes(node.inputs[0].ndim)[-1]
    return build.emit("LogSoftmax" if op.log else "Softmax", build.inputs_of(node), axis=axis)
