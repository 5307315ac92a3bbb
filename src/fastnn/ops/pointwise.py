"""Functions of one tensor, element by element: one Op for the rows of the kernel's table.

The rows (name, formula, arguments, gradient) are in `_kernels/pointwise/simd/pointwise.h`, and
nowhere else; each becomes a public function here. A new function needs one row and one test case.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn._kernels.pointwise.pointwise import unary_rows
from fastnn.arguments import real
from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.curvature import CURVATURES
from fastnn.ops.public import operation
from fastnn.spec import Spec, check_float

ROWS = {name: (index, formula, arguments, saved)
        for index, (name, formula, arguments, saved) in enumerate(unary_rows())}
STEPS = {"sign", "floor", "ceil", "round", "trunc"}  # flat almost everywhere: no gradient


@dataclass(frozen=True)
class Unary(Op):
    """y = f(x), by row name."""

    row: str
    arguments: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return self.row

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float(self.row, inputs[0])
        return inputs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        if self.row in STEPS:
            return (None,)
        saved = node.inputs[0] if ROWS[self.row][3] == "x" else node.outputs[0]
        return (apply(UnaryGrad(self.row, self.arguments), saved, grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        d = (node.outputs[0].size, ROWS[self.row][0])
        return [Call("unary_forward", (node.inputs[0], node.outputs[0]), d, self.arguments)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


@dataclass(frozen=True)
class UnaryGrad(Op):
    """dx = dy f'(saved); saved is x or y, as the row says."""

    row: str
    arguments: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.row}_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[1],)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        (saved, dy), again = node.inputs, grads[0]
        curvature = CURVATURES.get(self.row) if wanted[0] else None
        return (curvature and curvature(again * dy, saved, *self.arguments),
                apply(self, saved, again) if wanted[1] else None)

    def lower(self, node: Node) -> list[Call]:
        d = (node.outputs[0].size, ROWS[self.row][0])
        return [Call("unary_backward", (*node.inputs, node.outputs[0]), d, self.arguments)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (1,)


@dataclass(frozen=True)
class UnaryGradOfSum(Op):
    """dx = (x1 + x2 + ...) f'(saved): inputs saved, x1, x2 and so on. Made by fusion."""

    row: str
    arguments: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return f"add_n_{self.row}_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[1],)

    def lower(self, node: Node) -> list[Call]:
        d = (node.outputs[0].size, len(node.inputs) - 1, ROWS[self.row][0])
        buffers = (*node.inputs, node.outputs[0])
        return [Call("add_n_unary_backward", buffers, d, self.arguments)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return range(1, len(node.inputs))


# Notes on numbers below 2^-126, for functions that do not treat them as 0.
SUBNORMAL = {
    "log": "Right for every x above 0. A logarithm of what was rounded to 0 is -inf: write\n"
           "log_softmax(x, dim) for log(softmax(x, dim)), logsigmoid(x) for log(sigmoid(x)).",
    "log2": "Right for every x above 0.",
    "log10": "Right for every x above 0.",
    "sqrt": "Right for every x; NaN below 0.",
    "rsqrt": "Right for every x above 0; infinite at 0, NaN below.",
}
SOURCES = {
    "relu": "Nair and Hinton, 2010", "leaky_relu": "Maas et al., 2013",
    "elu": "Clevert et al., 2015", "silu": "Elfwing et al., 2017",
    "gelu_tanh": "Hendrycks and Gimpel, 2016", "selu": "Klambauer et al., 2017; scale is "
    "1.0507, alpha 1.6733", "celu": "Barron, 2017", "mish": "Misra, 2019",
    "hardswish": "Howard et al., 2019", "softplus": "Dugas et al., 2001",
}
# Rows that PyTorch's functions may compute in place; `inplace` is accepted, and changes nothing.
INPLACE = {"relu", "leaky_relu", "elu", "silu", "hardtanh", "selu", "celu", "mish", "hardsigmoid",
           "hardswish", "threshold"}
# Rows that PyTorch has as methods of tensors, too.
METHODS = {"relu", "sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs", "reciprocal", "erf",
           "sign", "log1p", "expm1", "exp2", "log2", "log10", "rsqrt", "sin", "cos", "floor",
           "ceil", "trunc", "hardshrink"}
# Rows whose public function is more than the row: modules of `ops` have it.
WITHIN = {"gelu", "clamp", "round"}


def _checked(row: str, numbers: tuple[float, ...]) -> tuple[float, ...]:
    """The arguments of a row, or ValueError."""
    if row == "hardtanh" and numbers[0] > numbers[1]:
        raise ValueError(f"hardtanh: min_val {numbers[0]} is above max_val {numbers[1]}")
    if row == "softshrink" and numbers[0] < 0:
        raise ValueError(f"softshrink: lambd must be 0 or more, got {numbers[0]}")
    if row in ("celu", "softplus") and not numbers[0]:
        raise ValueError(f"{row}: {'alpha' if row == 'celu' else 'beta'} must not be 0")
    return numbers


def _public(row: str, formula: str, arguments: str) -> Callable[..., Tensor]:
    names = [pair.partition("=")[0].strip() for pair in arguments.split(",") if pair.strip()]
    defaults = [float(pair.partition("=")[2]) if "=" in pair else inspect.Parameter.empty
                for pair in arguments.split(",") if pair.strip()]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("input", kind)]
    parameters += [inspect.Parameter(name, kind, default=value)
                   for name, value in zip(names, defaults, strict=True)]
    if row in INPLACE:
        parameters.append(inspect.Parameter("inplace", kind, default=False))
    signature = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{row}: {error}; its arguments are {signature}") from None
        bound.apply_defaults()
        numbers = tuple(real(bound.arguments[name], f"{row}: {name}") for name in names)
        return apply(Unary(row, _checked(row, numbers)), bound.arguments["input"])

    function.__name__ = function.__qualname__ = row
    said = [f"y = {formula}, element by element; x is the input, y has its shape."]
    said.append(SUBNORMAL.get(row, "Numbers below 2^-126 in size count as 0, in x and y "
                                   "(docs/numerics.md)."))
    if row in STEPS:
        said.append("No gradient passes; NaN stays NaN.")
    if row in INPLACE:
        said.append("inplace: accepted as PyTorch's, without effect.")
    if row in SOURCES:
        said.append(f"Source: {SOURCES[row]}.")
    function.__doc__ = "\n\n".join(said)
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _registered(row: str, formula: str, arguments: str) -> Callable[..., Tensor]:
    function = _public(row, formula, arguments)
    return function if row in WITHIN else operation(*METHODS & {row})(function)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    row: _registered(row, formula, arguments)
    for row, (_, formula, arguments, _) in ROWS.items()
}
