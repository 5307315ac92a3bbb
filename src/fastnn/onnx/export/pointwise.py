"""Functions of one and of two tensors, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

from fastnn.graph import Node
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import unsupported
from fastnn.onnx.export.table import translates
from fastnn.ops.add_n import AddN
from fastnn.ops.as_float import AsFloat
from fastnn.ops.as_index import AsIndex
from fastnn.ops.binary import Binary
from fastnn.ops.compare import CompareIndex
from fastnn.ops.pointwise import Unary
from fastnn.ops.prelu import PReLU

FLOAT32, DOUBLE, INT64 = 1, 11, 7  # ONNX's numbers of types
SOFTPLUS_IS_X = 20.0  # log(1 + exp(x)) is x in float32 from here on

Function = Callable[..., str]
# Rows of the pointwise table that are one operator of the same name and no arguments.
ALIKE = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "abs": "Abs", "reciprocal": "Reciprocal", "erf": "Erf", "selu": "Selu",
    "softsign": "Softsign", "hardswish": "HardSwish", "sign": "Sign", "sin": "Sin", "cos": "Cos",
    "floor": "Floor", "ceil": "Ceil", "round": "Round",
}


def _affine(build: Builder, x: str, scale: float, shift: float) -> str:
    if scale == -1 and shift == 0:
        return build.emit("Neg", [x])
    y = x if scale == 1 else build.emit("Mul", [x, build.number(scale)])
    return y if shift == 0 else build.emit("Add", [y, build.number(shift)])


def _gelu(build: Builder, x: str) -> str:
    if build.opset >= 20:
        return build.emit("Gelu", [x])
    erf = build.emit("Erf", [build.emit("Mul", [x, build.number(math.sqrt(0.5))])])
    return build.emit("Mul", [_affine(build, x, 0.5, 0.0), _affine(build, erf, 1.0, 1.0)])


def _gelu_tanh(build: Builder, x: str) -> str:
    if build.opset >= 20:
        return build.emit("Gelu", [x], approximate="tanh")
    square = _affine(build, build.emit("Mul", [x, x]), 0.044715, 1.0)
    inner = build.emit("Mul", [_affine(build, x, math.sqrt(2 / math.pi), 0.0), square])
    tanh = _affine(build, build.emit("Tanh", [inner]), 1.0, 1.0)
    return build.emit("Mul", [_affine(build, x, 0.5, 0.0), tanh])


def _softplus(build: Builder, x: str, beta: float, threshold: float) -> str:
    scaled = _affine(build, x, beta, 0.0)
    y = _affine(build, build.emit("Softplus", [scaled]), 1 / beta, 0.0)
    if threshold >= SOFTPLUS_IS_X:
        return y
    return build.emit("Where", [build.emit("Greater", [scaled, build.number(threshold)]), x, y])


def _threshold(build: Builder, x: str, threshold: float, value: float) -> str:
    above = build.emit("Greater", [x, build.number(threshold)])
    return build.emit("Where", [above, x, build.number(value)])


def _log1p(build: Builder, x: str) -> str:
    """log(u) x / (u - 1), with u = 1 + x as it was rounded: exact for small x (Kahan)."""
    one = build.number(1.0)
    u = build.emit("Add", [x, one])
    log = build.emit("Log", [u])
    near = build.emit("Mul", [log, build.emit("Div", [x, build.emit("Sub", [u, one])])])
    near = build.emit("Where", [build.emit("Equal", [u, one]), x, near])
    return build.emit("Where", [build.emit("Greater", [x, one]), log, near])


def _expm1(build: Builder, x: str) -> str:
    """(u - 1) x / log(u), with u = exp(x) as it was rounded: exact for small x (Kahan)."""
    one = build.number(1.0)
    u = build.emit("Exp", [x])
    less = build.emit("Sub", [u, one])
    near = build.emit("Mul", [less, build.emit("Div", [x, build.emit("Log", [u])])])
    near = build.emit("Where", [build.emit("Equal", [u, one]), x, near])
    return build.emit("Where", [build.emit("Greater", [build.emit("Abs", [x]), one]), less, near])


def _trunc(build: Builder, x: str) -> str:
    below = build.emit("Less", [x, build.number(0.0)])
    return build.emit("Where", [below, build.emit("Ceil", [x]), build.emit("Floor", [x])])


def _clip(build: Builder, x: str, least: float, most: float) -> str:
    return build.emit("Clip", [x, build.number(least), build.number(most)])


def _hardsigmoid(build: Builder, x: str) -> str:
    return build.emit("HardSigmoid", [x], alpha=1 / 6, beta=0.5)


def _times(kind: str) -> Function:
    """x times a function of x."""
    return lambda build, x: build.emit("Mul", [x, build.emit(kind, [x])])


def _over_log(base: float) -> Function:
    return lambda build, x: build.emit(
        "Mul", [build.emit("Log", [x]), build.number(1 / math.log(base))])


UNARY: dict[str, Function] = {
    **{row: (lambda build, x, kind=kind: build.emit(kind, [x])) for row, kind in ALIKE.items()},
    "leaky_relu": lambda build, x, slope: build.emit("LeakyRelu", [x], alpha=slope),
    "elu": lambda build, x, alpha: build.emit("Elu", [x], alpha=alpha),
    "celu": lambda build, x, alpha: build.emit("Celu", [x], alpha=alpha),
    "silu": _times("Sigmoid"),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "square": lambda build, x: build.emit("Mul", [x, x]),
    "affine": _affine,
    "power": lambda build, x, exponent: build.emit("Pow", [x, build.number(exponent)]),
    "softplus": _softplus,
    "logsigmoid": lambda build, x: build.emit(
        "Neg", [build.emit("Softplus", [build.emit("Neg", [x])])]),
    "hardtanh": _clip,
    "clamp": _clip,
    "mish": lambda build, x: build.emit(
        "Mul", [x, build.emit("Tanh", [build.emit("Softplus", [x])])]),
    "hardsigmoid": _hardsigmoid,
    "hardshrink": lambda build, x, lambd: build.emit("Shrink", [x], lambd=lambd, bias=0.0),
    "softshrink": lambda build, x, lambd: build.emit("Shrink", [x], lambd=lambd, bias=lambd),
    "tanhshrink": lambda build, x: build.emit("Sub", [x, build.emit("Tanh", [x])]),
    "threshold": _threshold,
    "log1p": _log1p,
    "expm1": _expm1,
    "exp2": lambda build, x: build.emit("Pow", [build.number(2.0), x]),
    "log2": _over_log(2.0),
    "log10": _over_log(10.0),
    "rsqrt": lambda build, x: build.emit("Reciprocal", [build.emit("Sqrt", [x])]),
    "trunc": _trunc,
}


@translates(Unary)
def unary(build: Builder, node: Node, op: Unary) -> str:
    """A row of the pointwise table."""
    if op.row not in UNARY:
        raise unsupported(node, "has no translation")
    return UNARY[op.row](build, build.name_of(node.inputs[0]), *op.arguments)


def _mask(build: Builder, kind: str, a: str, b: str) -> str:
    return build.emit("Cast", [build.emit(kind, [a, b])], to=FLOAT32)


def _unequal(build: Builder, a: str, b: str) -> str:
    other = build.emit("Not", [build.emit("Equal", [a, b])])
    return build.emit("Cast", [other], to=FLOAT32)


def _keep(build: Builder, a: str, b: str) -> str:
    zero = build.number(0.0)
    return build.emit("Where", [build.emit("Equal", [b, zero]), zero, a])


def _drop(build: Builder, a: str, b: str) -> str:
    zero = build.number(0.0)
    return build.emit("Where", [build.emit("Equal", [b, zero]), a, zero])


def _floor_div(build: Builder, a: str, b: str) -> str:
    """In double, where a quotient that is not whole is not rounded to a whole one.

    Numbers of different signs give -1 at most, also those that an infinity divides.
    """
    signs = build.emit("Mul", [build.emit("Sign", [a]), build.emit("Sign", [b])])
    differ = build.emit("Less", [signs, build.number(0.0)])
    a, b = (build.emit("Cast", [x], to=DOUBLE) for x in (a, b))
    whole = build.emit("Floor", [build.emit("Div", [a, b])])
    whole = build.emit("Cast", [whole], to=FLOAT32)
    return build.emit("Where", [differ, build.emit("Min", [whole, build.number(-1.0)]), whole])


def _two(kind: str) -> Function:
    return lambda build, a, b: build.emit(kind, [a, b])


BINARY: dict[str, Function] = {
    "add": _two("Add"), "sub": _two("Sub"), "mul": _two("Mul"), "div": _two("Div"),
    "pow": _two("Pow"), "maximum": _two("Max"), "minimum": _two("Min"), "clamp_min": _two("Max"),
    "clamp_max": _two("Min"),
    "ge": lambda build, a, b: _mask(build, "GreaterOrEqual", a, b),
    "gt": lambda build, a, b: _mask(build, "Greater", a, b),
    "eq": lambda build, a, b: _mask(build, "Equal", a, b),
    "ne": _unequal,
    "keep": _keep,
    "drop": _drop,
    "floor_div": _floor_div,
}


@translates(Binary)
def binary(build: Builder, node: Node, op: Binary) -> str:
    """A row of the table of two tensors."""
    if op.row not in BINARY:
        raise unsupported(node, "has no translation")
    return BINARY[op.row](build, *build.inputs_of(node))


@translates(AddN)
def add_n(build: Builder, node: Node, op: AddN) -> str:
    """Sum of several tensors."""
    return build.emit("Sum", build.inputs_of(node))


RELATIONS = {"eq": "Equal", "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less",
             "le": "LessOrEqual"}


@translates(CompareIndex)
def compare_index(build: Builder, node: Node, op: CompareIndex) -> str:
    """A relation of integers, as 0 and 1."""
    if op.relation == "ne":
        return _unequal(build, *build.inputs_of(node))
    return _mask(build, RELATIONS[op.relation], *build.inputs_of(node))


@translates(AsFloat)
def as_float(build: Builder, node: Node, op: AsFloat) -> str:
    """Integers as floats."""
    return build.emit("Cast", build.inputs_of(node), to=FLOAT32)


@translates(AsIndex)
def as_index(build: Builder, node: Node, op: AsIndex) -> str:
    """Floats as integers, without their fractions."""
    return build.emit("Cast", build.inputs_of(node), to=INT64)


@translates(PReLU)
def prelu(build: Builder, node: Node, op: PReLU) -> str:
    """PReLU; slopes of channels get the axes that broadcast them."""
    (x, weight), names = node.inputs, build.inputs_of(node)
    if x.ndim > 2 and weight.size > 1:
        shape = build.numbers([-1, *[1] * (x.ndim - 2)])
        names[1] = build.emit("Reshape", [names[1], shape])
    return build.emit("PRelu", names)
