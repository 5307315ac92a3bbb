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
from fastnn.ops.public import operation
from fastnn.spec import Spec, check_float

ROWS = {name: (index, formula, arguments, saved)
        for index, (name, formula, arguments, saved) in enumerate(unary_rows())}


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
           "log_softmax(x, dim) for log(softmax(x, dim)), -softplus(-x) for log(sigmoid(x)).",
    "sqrt": "Right for every x; NaN below 0.",
}


def _public(row: str, formula: str, arguments: str) -> Callable[..., Tensor]:
    pairs = [pair.split("=") for pair in arguments.split(",") if pair.strip()]
    defaults = {name.strip(): float(value) for name, value in pairs}
    parameters = [inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
                   for name, value in defaults.items()]
    signature = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        x = bound.arguments["x"]
        numbers = [real(bound.arguments[name], f"{row}: {name}") for name in defaults]
        return apply(Unary(row, tuple(numbers)), x)

    function.__name__ = function.__qualname__ = row
    function.__doc__ = (f"y = {formula}, element by element; y has the shape of x.\n\n"
                        + SUBNORMAL.get(row, "Numbers below 2^-126 in size count as 0, in x and y "
                                             "(docs/numerics.md)."))
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


# Rows that PyTorch has as methods of tensors, too.
METHODS = {"relu", "sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs", "reciprocal", "erf"}

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    row: operation(*METHODS & {row})(_public(row, formula, arguments))
    for row, (_, formula, arguments, _) in ROWS.items()
}
