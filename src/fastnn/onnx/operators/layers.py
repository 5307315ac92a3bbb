"""Convolutions, pooling, norms and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.graph import as_tensor, constant
from fastnn.onnx.operators.call import Call, Operator
from fastnn.onnx.operators.resize import resize, upsample
from fastnn.onnx.operators.windows import as_before, as_images, windows_of
from fastnn.ops import names as fn

LEAST = float(np.finfo(np.float32).min)  # what padding counts as where the largest is taken


def _conv(call: Call) -> Any:
    x, weight = as_tensor(call[0]), as_tensor(call[1])
    windows = windows_of(call, x.shape[2:], weight.shape[2:])
    y = fn.conv2d(as_images(x), as_images(weight), call.get(2), windows.strides, windows.pads,
                  windows.dilations, call.attribute("group", 1))
    return as_before(y, x.ndim)


def _conv_transpose(call: Call) -> Any:
    x, weight = as_tensor(call[0]), as_tensor(call[1])
    windows = windows_of(call, x.shape[2:], weight.shape[2:])
    count = x.ndim - 2
    more = list(call.attribute("output_padding", [0] * count))
    pads = list(windows.pads)[2 - count:]
    strides, dilations = windows.strides[2 - count:], windows.dilations[2 - count:]
    full = [stride * (size - 1) + (k - 1) * dilation + 1 for size, k, stride, dilation in
            zip(x.shape[2:], weight.shape[2:], strides, dilations, strict=True)]
    auto = call.attribute("auto_pad", "NOTSET")
    sizes = call.attribute("output_shape")
    if sizes is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        sizes = [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    if sizes is not None:
        pads = []
        for size, whole, extra in zip(sizes[-count:], full, more, strict=True):
            total = whole + extra - size
            less, rest = (total // 2, total - total // 2) if total > 0 else (0, total)
            pads.append((less, rest) if auto != "SAME_LOWER" else (rest, less))
    y = fn.conv_transpose2d(as_images(x), as_images(weight), None, windows.strides, 0, 0,
                            call.attribute("group", 1), windows.dilations)
    sides: list[int] = []  # cut off, or added where there is output padding
    for (before, after), extra in zip(reversed(pads), reversed(more), strict=True):
        sides += [-before, extra - after]
    y = fn.pad(y, sides) if any(sides) else y
    bias = call.get(2)
    y = y if bias is None else y + fn.reshape(bias, (1, -1, 1, 1))
    return as_before(y, x.ndim)


def _max_pool(call: Call) -> Any:
    if call.outputs > 1:
        raise call.unsupported("its places are an output")
    x = as_tensor(call[0])
    windows = windows_of(call, x.shape[2:], call.attribute("kernel_shape"))
    images, pads = as_images(x), [pair[0] for pair in windows.pads]
    if not windows.is_symmetric:
        (top, bottom), (left, right) = windows.pads
        images, pads = fn.pad(images, (left, right, top, bottom), value=LEAST), [0, 0]
    y = fn.max_pool2d(images, windows.kernel, windows.strides, pads, windows.dilations,
                      bool(call.attribute("ceil_mode", 0)))
    return as_before(y, x.ndim)


def _average_pool(call: Call) -> Any:
    x = as_tensor(call[0])
    windows = windows_of(call, x.shape[2:], call.attribute("kernel_shape"))
    if set(windows.dilations) != {1}:
        raise call.unsupported("dilations")
    counts = bool(call.attribute("count_include_pad", 0))
    ceil = bool(call.attribute("ceil_mode", 0))
    images = as_images(x)
    if windows.is_symmetric:
        pads = [pair[0] for pair in windows.pads]
        y = fn.avg_pool2d(images, windows.kernel, windows.strides, pads, ceil, counts)
        return as_before(y, x.ndim)
    if ceil:
        raise call.unsupported("ceil_mode=1 with padding that differs by side")
    (top, bottom), (left, right) = windows.pads
    sides = (left, right, top, bottom)
    y = fn.avg_pool2d(fn.pad(images, sides), windows.kernel, windows.strides)
    if not counts:
        ones = constant(np.ones((1, 1, *images.shape[2:]), np.float32))
        y = y / fn.avg_pool2d(fn.pad(ones, sides), windows.kernel, windows.strides)
    return as_before(y, x.ndim)


def _lp_pool(call: Call) -> Any:
    x, power = as_tensor(call[0]), float(call.attribute("p", 2))
    windows = windows_of(call, x.shape[2:], call.attribute("kernel_shape"))
    if set(windows.dilations) != {1} or call.attribute("ceil_mode", 0):
        raise call.unsupported("dilations or ceil_mode")
    (top, bottom), (left, right) = windows.pads
    powers = fn.pow(fn.abs(as_images(x)), power)
    mean = fn.avg_pool2d(fn.pad(powers, (left, right, top, bottom)), windows.kernel,
                         windows.strides)
    y = fn.pow(mean * float(np.prod(windows.kernel)), 1 / power)
    return as_before(y, x.ndim)


def _batch_norm(call: Call) -> Any:
    if call.attribute("spatial", 1) != 1:
        raise call.unsupported("spatial=0")
    if call.attribute("training_mode", 0):
        raise call.unsupported("training_mode=1; model.train() says so here")
    return fn.batch_norm(call[0], call[3], call[4], call[1], call[2], call.training,
                         1 - call.attribute("momentum", 0.9), call.attribute("epsilon", 1e-5))


def _instance_norm(call: Call) -> Any:
    return fn.instance_norm(call[0], weight=call[1], bias=call[2],
                            eps=call.attribute("epsilon", 1e-5))


def _layer_norm(call: Call) -> Any:
    x, axis, eps = as_tensor(call[0]), call.attribute("axis", -1), call.attribute("epsilon", 1e-5)
    shape = x.shape[axis:]
    weight, bias = (None if call.get(place) is None else fn.expand(call.get(place), shape)
                    for place in (1, 2))
    y = fn.layer_norm(x, shape, weight, bias, eps)
    if call.outputs == 1:
        return y
    axes = list(range(x.ndim - len(shape), x.ndim))
    mean = fn.mean(x, axes, True)
    return y, mean, fn.rsqrt(fn.mean(fn.square(x - mean), axes, True) + eps)


def _group_norm(call: Call) -> Any:
    x, groups = as_tensor(call[0]), call.attribute("num_groups")
    weight, bias = as_tensor(call[1]), as_tensor(call[2])
    if weight.shape[0] != x.shape[1]:  # opset 18: one for each group
        weight, bias = (fn.repeat_interleave(value, x.shape[1] // groups)
                        for value in (weight, bias))
    return fn.group_norm(x, groups, weight, bias, call.attribute("epsilon", 1e-5))


def _rms_norm(call: Call) -> Any:
    x, axis = as_tensor(call[0]), call.attribute("axis", -1)
    shape = x.shape[axis:]
    return fn.rms_norm(x, shape, fn.expand(call[1], shape), call.attribute("epsilon", 1e-5))


def _lrn(call: Call) -> Any:
    size = call.attribute("size")
    if size % 2 == 0:
        raise call.unsupported(f"an even size, {size}")
    return fn.local_response_norm(call[0], size, call.attribute("alpha", 1e-4),
                                  call.attribute("beta", 0.75), call.attribute("bias", 1.0))


def _gemm(call: Call) -> Any:
    a, b = as_tensor(call[0]), as_tensor(call[1])
    a = fn.t(a) if call.attribute("transA", 0) else a
    alpha, beta, c = call.attribute("alpha", 1.0), call.attribute("beta", 1.0), call.get(2)
    b = b if call.attribute("transB", 0) else fn.t(b)
    is_bias = c is not None and beta == 1 and alpha == 1 and as_tensor(c).shape == (b.shape[0],)
    y = fn.linear(a, b, c if is_bias else None)
    y = y if alpha == 1 else y * alpha
    return y if c is None or is_bias else y + as_tensor(c) * beta


LAYERS: dict[str, Operator] = {
    "Conv": _conv, "ConvTranspose": _conv_transpose, "MaxPool": _max_pool,
    "AveragePool": _average_pool, "LpPool": _lp_pool, "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm, "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm, "RMSNormalization": _rms_norm, "LRN": _lrn, "Gemm": _gemm,
    "MatMul": lambda call: fn.matmul(call[0], call[1]),
    "Einsum": lambda call: fn.einsum(call.attribute("equation"), *call.inputs),
    "Resize": resize, "Upsample": upsample,
}
