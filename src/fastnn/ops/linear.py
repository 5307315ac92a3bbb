"""Linear layers, y = x Wᵀ + b."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor, moved_bytes
from fastnn.ops.matmul import matmul
from fastnn.ops.micro_batch import whole_batch_rows
from fastnn.ops.permute import transpose
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError, Spec, check_float


def _hint(shape: tuple[int, ...], weight: tuple[int, ...]) -> str:
    """What to write if the input has all the features, but along other axes."""
    if len(weight) == 2 and len(shape) > 2 and math.prod(shape[1:]) == weight[1]:
        return "; write x.flatten(1), or put an nn.Flatten() before it"
    if len(weight) == 2 and math.prod(shape) == weight[1]:
        return "; a single example keeps its first axis in Flatten: give the model x[None]"
    return ""


@dataclass(frozen=True)
class Linear(Op):
    """y[m, n] = x[m, k] w[n, k]ᵀ (+ bias[n]) (then ReLU, when fused)."""

    relu: bool = False

    @property
    def name(self) -> str:
        return "linear_relu" if self.relu else "linear"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, weight = inputs[:2]
        if len(x.shape) != 2 or len(weight.shape) != 2 or x.shape[1] != weight.shape[1]:
            raise ShapeError(
                f"linear: input {x.shape} does not fit weight {weight.shape} "
                f"(out_features, in_features){_hint(x.shape, weight.shape)}")
        check_float("linear", *inputs)
        if len(inputs) == 3 and inputs[2].shape != weight.shape[:1]:
            raise ShapeError(f"linear: bias {inputs[2].shape} does not fit weight {weight.shape}")
        return (Spec((x.shape[0], weight.shape[0])),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, weight = node.inputs[:2]
        dy = grads[0]
        dw = apply(LinearGradWeight(), dy, x) if wanted[1] else None
        db = [sum(dy, 0) if want else None for want in wanted[2:]]
        dx = apply(LinearGradInput(), dy, weight) if wanted[0] else None
        return (dx, dw, *db)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, weight = node.inputs[:2]
        bias = node.inputs[2] if len(node.inputs) == 3 else None
        d = (*x.shape, weight.shape[0], len(node.inputs) - 2, self.relu,
             whole_batch_rows(x.shape[0]))
        return [Call("linear_forward", (x, weight, bias, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"operands": moved_bytes(node), "matrix products": self.flops(node)}

    def flops(self, node: Node) -> float:
        return 2.0 * node.inputs[0].size * node.inputs[1].shape[0]


@dataclass(frozen=True)
class LinearGradInput(Op):
    """dx[m, k] = dy[m, n] w[n, k]."""

    @property
    def name(self) -> str:
        return "linear_grad_input"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        dy, weight = inputs
        return (Spec((dy.shape[0], weight.shape[1])),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        dy, weight = node.inputs
        first = apply(Linear(), grads[0], weight) if wanted[0] else None
        return first, apply(LinearGradWeight(), dy, grads[0]) if wanted[1] else None

    def lower(self, node: Node) -> list[Call]:
        dy, weight = node.inputs
        d = (dy.shape[0], weight.shape[1], dy.shape[1])
        return [Call("linear_grad_input", (dy, weight, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"operands": moved_bytes(node), "matrix products": self.flops(node)}

    def flops(self, node: Node) -> float:
        return 2.0 * node.inputs[0].size * node.inputs[1].shape[1]


@dataclass(frozen=True)
class LinearGradWeight(Op):
    """dw[n, k] = dy[m, n]ᵀ x[m, k]."""

    @property
    def name(self) -> str:
        return "linear_grad_weight"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        dy, x = inputs
        return (Spec((dy.shape[1], x.shape[1])),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        dy, x = node.inputs
        first = apply(Linear(), x, grads[0]) if wanted[0] else None
        return first, apply(LinearGradInput(), dy, grads[0]) if wanted[1] else None

    def lower(self, node: Node) -> list[Call]:
        dy, x = node.inputs
        d = (*x.shape, dy.shape[1])
        return [Call("linear_grad_weight", (dy, x, node.outputs[0]), d)]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"operands": moved_bytes(node), "matrix products": self.flops(node)}

    def flops(self, node: Node) -> float:
        return 2.0 * node.inputs[0].size * node.inputs[1].shape[1]


@operation()
def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Wᵀ + b over the last axis of the input.

    input: (..., in_features); weight: (out_features, in_features), or (in_features) for a result
    without a last axis; bias: (out_features), or of one number. Returns (..., out_features).

    Raises ShapeError for shapes that do not fit.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> linear(constant(np.zeros((2, 7, 3))), np.zeros((5, 3))).shape
    (2, 7, 5)
    """
    x, weight = as_tensor(input), as_tensor(weight)
    if x.ndim < 1 or weight.ndim not in (1, 2) or x.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear: input {x.shape} does not fit weight {weight.shape}; expected "
            f"(..., in_features) and (out_features, in_features){_hint(x.shape, weight.shape)}")
    if weight.ndim == 1:
        y = matmul(x, weight)
        return y if bias is None else _plus(y, bias, weight)
    if not weight.size:
        y = matmul(x, transpose(weight, 0, 1))
        return y if bias is None else _plus(y, bias, weight)
    rows = x if x.ndim == 2 else reshape(x, math.prod(x.shape[:-1]), x.shape[-1])
    bias = None if bias is None else as_tensor(bias)
    inside = bias is not None and bias.shape == weight.shape[:1]  # else it may be one number
    y = apply(Linear(), rows, weight, *((bias,) if inside else ()))
    y = y if x.ndim == 2 else reshape(y, (*x.shape[:-1], weight.shape[0]))
    return y if inside or bias is None else _plus(y, bias, weight)


def _plus(y: Tensor, bias: Any, weight: Tensor) -> Tensor:
    bias = as_tensor(bias)
    if bias.ndim > min(1, y.ndim) or bias.size not in (1, *y.shape[-1:]):
        raise ShapeError(f"linear: bias {bias.shape} does not fit weight {weight.shape}")
    return bias + y  # type: ignore[no-any-return]
