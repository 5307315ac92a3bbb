"""Group normalisation: mean and variance over groups of channels of each example."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import (
    Call,
    Composed,
    Node,
    Op,
    Tensor,
    apply_all,
    as_tensor,
    constant,
    moved_bytes,
)
from fastnn.ops.binary import mul
from fastnn.ops.norm_gradient import normed, through_norm
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reshape import Reshape, reshape
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError, Spec, check_float


def _call(kernel: str, groups: int, node: Node, eps: float) -> list[Call]:
    """Sequences have the places of a channel side by side, images the channels of a place."""
    batch, channels, *places = node.outputs[0].shape
    each, count = channels // groups, math.prod(places)
    rows = len(places) == 1
    d = (batch, groups, each, count) if rows else (batch, count, groups, each)
    return [Call(f"group_norm{'_rows' * rows}_{kernel}", (*node.inputs, *node.outputs), d, (eps,))]


@dataclass(frozen=True)
class GroupNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias; also mean and var, (batch, groups).

    Inputs x of rank 2 to 4, weight, bias.
    """

    groups: int
    eps: float

    @property
    def name(self) -> str:
        return "group_norm"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        statistics = Spec((inputs[0].shape[0], self.groups))
        return (inputs[0], statistics, statistics)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, weight, _ = node.inputs
        _, mean, var = node.outputs
        return apply_all(GroupNormGrad(self.groups, self.eps), grads[0], x, mean, var, weight)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        return _call("forward", self.groups, node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 7.0 * node.outputs[0].size


@dataclass(frozen=True)
class GroupNormGrad(Composed):
    """dx, dweight, dbias of GroupNorm from dy, x, mean, var, weight."""

    groups: int
    eps: float

    @property
    def name(self) -> str:
        return "group_norm_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[0], inputs[4], inputs[4])

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        dy, x, _, _, weight = inputs
        batch, channels = x.shape[:2]
        by_group, by_channel = (batch, self.groups, -1), (batch, channels, -1)
        y, rstd = normed(reshape(x, by_group), (2,), self.eps)
        rows = reshape(dy, by_channel)
        scaled = reshape(mul(rows, reshape(weight, channels, 1)), by_group)
        dx = through_norm(scaled, y, rstd, (2,))
        return (reshape(dx, x.shape), sum(mul(rows, reshape(y, by_channel)), (0, 2)),
                sum(rows, (0, 2)))

    def lower(self, node: Node) -> list[Call]:
        return _call("backward", self.groups, node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm gradient": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 10.0 * node.outputs[0].size


def by_channel(name: str, x: Tensor, weight: Any, bias: Any) -> tuple[Tensor, Tensor]:
    """weight and bias of x's channels, ones and zeros where there is none."""
    channels = x.shape[1]
    found = []
    for key, values, rest in (("weight", weight, 1.0), ("bias", bias, 0.0)):
        values = np.full(channels, rest, np.float32) if values is None else values
        values = constant(values) if isinstance(values, np.ndarray) else as_tensor(values)
        if values.shape != (channels,):
            raise ShapeError(f"{name}: {key} {values.shape} does not fit input {x.shape}, "
                             f"expected {(channels,)}")
        found.append(values)
    return found[0], found[1]


def normed_groups(
    x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The normed x, of any rank from 2 on, and the mean and variance of its groups.

    A sequence that was an image before (behind a 1-D convolution) is normalised as an image.
    """
    shape, before = x.shape, x.node.inputs[0] if isinstance(x.node.op, Reshape) else None
    if math.prod(shape) == 0:
        statistics = constant(np.zeros((shape[0], groups), np.float32))
        return x, statistics, statistics
    if x.ndim == 3 and before is not None and before.shape == (*shape[:2], 1, shape[2]):
        x = before
    elif x.ndim > 4:
        x = reshape(x, *shape[:2], math.prod(shape[2:]))
    y, mean, var = apply_all(GroupNorm(groups, eps), x, weight, bias)
    return reshape(y, shape), mean, var


@operation()
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Group normalisation of (batch, channels, ...), as torch.nn.functional.group_norm.

    y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias, with E and the biased Var over a group of
    channels of one example, at all places. num_groups divides channels. weight, bias: (channels),
    or None. Returns the shape of input. Raises ShapeError for shapes that do not fit.

    Source: Wu and He, "Group normalization", 2018.

    >>> from fastnn.graph import constant
    >>> group_norm(constant(np.ones((2, 6, 4, 4))), 3).shape
    (2, 6, 4, 4)
    """
    x, groups = as_tensor(input), whole_number(num_groups, "num_groups")
    eps = real(eps, "group_norm: eps")
    check_float("group_norm", x.spec)
    if x.ndim < 2 or x.shape[1] % groups or x.shape[1] == 0:
        raise ShapeError(f"group_norm: expected (batch, channels, ...) with channels that "
                         f"{groups} groups divide, got shape {x.shape}")
    weight, bias = by_channel("group_norm", x, weight, bias)
    return normed_groups(x, groups, weight, bias, eps)[0]
