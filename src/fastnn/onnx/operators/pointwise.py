"""Operators that compute element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from fastnn.graph import as_tensor
from fastnn.onnx.operators.call import Call, Operator
from fastnn.ops import names as fn
from fastnn.ops.as_float import as_float


def _unary(function: Callable[[Any], Any]) -> Operator:
    return lambda call: function(call[0])


def _binary(function: Callable[[Any, Any], Any]) -> Operator:
    def operator(call: Call) -> Any:
        if call.attribute("broadcast") or "axis" in call.attributes:
            raise call.unsupported("broadcasting by axis, as before opset 7")
        return function(call[0], call[1])

    return operator


def _all(function: Callable[[Any, Any], Any]) -> Operator:
    return lambda call: reduce(function, call.inputs[1:], as_tensor(call[0]))


def _mean(call: Call) -> Any:
    return reduce(fn.add, call.inputs[1:], as_tensor(call[0])) / len(call.inputs)


def _clip(call: Call) -> Any:
    if call.opset < 11:
        least, most = call.attribute("min"), call.attribute("max")
    else:
        least, most = (None if call.get(place) is None else float(call.known(place))
                       for place in (1, 2))
    bounds = {name: value for name, value in (("min", least), ("max", most)) if value is not None}
    return fn.clamp(call[0], **bounds) if bounds else call[0]


def _pow(call: Call) -> Any:
    exponent = call[1]
    if isinstance(exponent, np.ndarray) and exponent.size == 1:
        return fn.pow(call[0], float(exponent.ravel()[0]))
    return fn.pow(call[0], exponent)


def _prelu(call: Call) -> Any:
    x, slope = as_tensor(call[0]), as_tensor(call[1])
    return fn.where(fn.lt(x, 0), x * slope, x)


def _hard_sigmoid(call: Call) -> Any:
    scaled = call[0] * call.attribute("alpha", 0.2) + call.attribute("beta", 0.5)
    return fn.clamp(scaled, 0.0, 1.0)


def _selu(call: Call) -> Any:
    alpha = call.attribute("alpha", 1.6732632423543772)
    return fn.elu(call[0], alpha) * call.attribute("gamma", 1.0507009873554805)


def _gelu(call: Call) -> Any:
    return fn.gelu(call[0], approximate=call.attribute("approximate", "none"))


def _mod(call: Call) -> Any:
    quotient = as_tensor(call[0]) / call[1]
    whole = fn.trunc(quotient) if call.attribute("fmod", 0) else fn.floor(quotient)
    return call[0] - whole * call[1]


def _swish(call: Call) -> Any:
    return call[0] * fn.sigmoid(call[0] * call.attribute("alpha", 1.0))


def _cast(call: Call) -> Any:
    kind = call.attribute("to")  # onnx.TensorProto: 1 float, 6 int32, 7 int64, 11 double
    if kind in (1, 10, 11, 16):  # all floats are float32 here
        return as_float(as_tensor(call[0]))
    if kind in (6, 7):
        return fn.long(call[0])
    raise call.unsupported(f"to type {kind}; float32, int32 and int64 are there")


def _dropout(call: Call) -> Any:
    if call.outputs > 1:
        raise call.unsupported("its mask is an output")
    if call.get(2) is not None and call.known(2):
        raise call.unsupported("training_mode is true; model.train() says so here")
    ratio = call.attribute("ratio", 0.5) if call.opset < 12 else (
        0.5 if call.get(1) is None else float(call.known(1)))
    return fn.dropout(call[0], ratio, call.training)


POINTWISE: dict[str, Operator] = {
    **{name: _unary(function) for name, function in {
        "Relu": fn.relu, "Sigmoid": fn.sigmoid, "Tanh": fn.tanh, "Exp": fn.exp, "Log": fn.log,
        "Sqrt": fn.sqrt, "Abs": fn.abs, "Neg": fn.neg, "Reciprocal": fn.reciprocal,
        "Floor": fn.floor, "Ceil": fn.ceil, "Round": fn.round, "Sign": fn.sign, "Erf": fn.erf,
        "Sin": fn.sin, "Cos": fn.cos, "Softplus": fn.softplus, "Softsign": fn.softsign,
        "HardSwish": fn.hardswish, "Mish": fn.mish, "Identity": lambda x: x,
        "Not": fn.logical_not}.items()},
    **{name: _binary(function) for name, function in {
        "Add": fn.add, "Sub": fn.sub, "Mul": fn.mul, "Div": fn.div, "Equal": fn.eq,
        "Greater": fn.gt, "Less": fn.lt, "GreaterOrEqual": fn.ge, "LessOrEqual": fn.le,
        "And": fn.logical_and, "Or": fn.logical_or, "Xor": fn.logical_xor}.items()},
    "Max": _all(fn.maximum), "Min": _all(fn.minimum), "Sum": _all(fn.add), "Mean": _mean,
    "LeakyRelu": lambda call: fn.leaky_relu(call[0], call.attribute("alpha", 0.01)),
    "Elu": lambda call: fn.elu(call[0], call.attribute("alpha", 1.0)),
    "Celu": lambda call: fn.celu(call[0], call.attribute("alpha", 1.0)),
    "ThresholdedRelu": lambda call: fn.threshold(call[0], call.attribute("alpha", 1.0), 0.0),
    "Selu": _selu, "PRelu": _prelu, "Clip": _clip, "Pow": _pow, "HardSigmoid": _hard_sigmoid,
    "Gelu": _gelu, "Mod": _mod, "Swish": _swish, "Cast": _cast, "Dropout": _dropout,
    "Where": lambda call: fn.where(call[0], call[1], call[2]),
}
