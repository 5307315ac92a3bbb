"""Operators over axes: sums, means, extremes, softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from fastnn.graph import as_tensor
from fastnn.onnx.operators.call import Call, Operator
from fastnn.ops import names as fn
from fastnn.ops.as_float import as_float

AXES_ARE_INPUT = 18  # from this opset on; of ReduceSum from 13 on


def _reduce(function: Callable[[Any, Any, bool], Any]) -> Operator:
    def operator(call: Call) -> Any:
        x = as_tensor(call[0])
        axes = call.numbers("axes", 1, 13 if call.kind == "ReduceSum" else AXES_ARE_INPUT)
        keep = bool(call.attribute("keepdims", 1))
        if not axes:
            if call.attribute("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        axes = sorted(axis % x.ndim for axis in axes)
        return function(x, axes, keep)

    return operator


def _prod(x: Any, axes: Any, keep: bool) -> Any:
    for axis in reversed(axes):
        x = fn.prod(x, axis, keep)
    return x


def _arg(function: Callable[..., Any]) -> Operator:
    def operator(call: Call) -> Any:
        x, axis = as_tensor(call[0]), call.attribute("axis", 0)
        last = bool(call.attribute("select_last_index", 0))
        found = function(fn.flip(x, axis) if last else x, axis,
                         bool(call.attribute("keepdims", 1)))
        return fn.long(x.shape[axis] - 1 - as_float(found)) if last else found

    return operator


def _soft(function: Callable[[Any, int], Any]) -> Operator:
    def operator(call: Call) -> Any:
        x = as_tensor(call[0])
        if call.opset >= 13:
            return function(x, call.attribute("axis", -1))
        axis = call.attribute("axis", 1)  # of a matrix, all axes from this one on
        axis += x.ndim if axis < 0 else 0
        rows = fn.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))
        return fn.reshape(function(rows, 1), x.shape)

    return operator


def _cumsum(call: Call) -> Any:
    if call.attribute("exclusive", 0) or call.attribute("reverse", 0):
        raise call.unsupported("exclusive or reverse sums")
    return fn.cumsum(call[0], int(call.known(1)))


def _topk(call: Call) -> Any:
    k = call.attribute("k") if call.opset < 10 else int(call.known(1).ravel()[0])
    return tuple(fn.topk(call[0], k, call.attribute("axis", -1),
                         bool(call.attribute("largest", 1))))


def _lp(call: Call) -> Any:
    x, power = as_tensor(call[0]), call.attribute("p", 2)
    size = fn.norm(x, power, call.attribute("axis", -1), True)
    return x / fn.where(fn.eq(size, 0), 1.0, size)  # rows of zeros stay


def _over_places(function: Callable[[Any, Any, bool], Any]) -> Operator:
    def operator(call: Call) -> Any:
        x = as_tensor(call[0])
        return function(x, list(range(2, x.ndim)), True)

    return operator


REDUCTIONS: dict[str, Operator] = {
    "ReduceSum": _reduce(fn.sum), "ReduceMean": _reduce(fn.mean), "ReduceMax": _reduce(fn.amax),
    "ReduceMin": _reduce(fn.amin), "ReduceProd": _reduce(_prod),
    "ReduceL1": _reduce(lambda x, axes, keep: fn.sum(fn.abs(x), axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: fn.sqrt(fn.sum(fn.square(x), axes, keep))),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: fn.sum(fn.square(x), axes, keep)),
    "ReduceLogSum": _reduce(lambda x, axes, keep: fn.log(fn.sum(x, axes, keep))),
    "ReduceLogSumExp": _reduce(fn.logsumexp),
    "ArgMax": _arg(fn.argmax), "ArgMin": _arg(fn.argmin),
    "Softmax": _soft(fn.softmax), "LogSoftmax": _soft(fn.log_softmax), "CumSum": _cumsum,
    "TopK": _topk, "LpNormalization": _lp,
    "GlobalAveragePool": _over_places(fn.mean), "GlobalMaxPool": _over_places(fn.amax),
}
