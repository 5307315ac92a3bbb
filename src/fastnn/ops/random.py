"""Random numbers in a forward: uniform, normal, and what is drawn with them.

They are functions of (seed, step, call, place), as dropout's masks are: each run of a graph draws
anew, and the backward pass, a recomputation and a resumed run draw the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.binary import add, affine, broadcast_shape, mul
from fastnn.ops.compare import lt
from fastnn.ops.detach import detach
from fastnn.ops.public import operation
from fastnn.ops.reshape import sizes_of
from fastnn.runtime.random import new_stream, random_key
from fastnn.spec import FLOAT, ShapeError, Spec, check_float


@dataclass(frozen=True)
class Random(Op):
    """Numbers of a shape, drawn from "uniform" or "normal"; its input is the key (seed, step)."""

    kind: str
    shape: tuple[int, ...]
    stream: int

    @property
    def name(self) -> str:
        return f"random_{self.kind}"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)

    def lower(self, node: Node) -> list[Call]:
        (y,) = node.outputs
        return [Call(self.name, (node.inputs[0], y), (y.size, self.stream))]


def draw(kind: str, shape: Sequence[int]) -> Tensor:
    """Numbers of a stream of their own."""
    return apply(Random(kind, tuple(shape), new_stream()), random_key())


def _drawn(name: str, kind: str, sizes: Sequence[int], dtype: Any) -> Tensor:
    if dtype is not None and np.dtype(dtype) != FLOAT:
        raise TypeError(f"{name}: dtype must be float32, got {dtype!r:.60}")
    if min(sizes, default=0) < 0:
        raise ShapeError(f"{name}: sizes are from 0 on, got {tuple(sizes)}")
    return draw(kind, sizes)


@operation()
def rand(*size: Any, dtype: Any = None) -> Tensor:
    """Numbers from 0 on and below 1, all equally likely: whole multiples of 2^-24.

    size: rand(2, 3) or rand((2, 3)). Each run draws anew.

    >>> rand(2, 3).shape
    (2, 3)
    """
    return _drawn("rand", "uniform", sizes_of(size), dtype)


@operation()
def randn(*size: Any, dtype: Any = None) -> Tensor:
    """Standard normal numbers, none beyond 6.7 (Box and Muller, 1958).

    size: randn(2, 3) or randn((2, 3)). Each run draws anew.

    >>> randn((2, 3)).shape
    (2, 3)
    """
    return _drawn("randn", "normal", sizes_of(size), dtype)


@operation()
def rand_like(input: Any, *, dtype: Any = None) -> Tensor:
    """As `rand`, with the shape of input.

    >>> rand_like(np.zeros((2, 3))).shape
    (2, 3)
    """
    return _drawn("rand_like", "uniform", as_tensor(input).shape, dtype)


@operation()
def randn_like(input: Any, *, dtype: Any = None) -> Tensor:
    """As `randn`, with the shape of input.

    >>> randn_like(np.zeros((2, 3))).shape
    (2, 3)
    """
    return _drawn("randn_like", "normal", as_tensor(input).shape, dtype)


@operation("bernoulli")
def bernoulli(input: Any, p: Any = None) -> Tensor:
    """1 with the probability that input gives, else 0; no gradient.

    input: probabilities; with p, a number, only its shape counts. A probability of 1 always gives
    1, of 0 never.

    >>> bernoulli(np.full((2, 3), 0.5)).shape
    (2, 3)
    """
    input = as_tensor(input)
    if p is not None:
        return lt(draw("uniform", input.shape), real(p, "bernoulli: p", "from 0 to 1", 0, 1))
    check_float("bernoulli: probabilities", input.spec)
    return lt(draw("uniform", input.shape), input)


@operation()
def normal(mean: Any, std: Any = 1.0, size: Any = None) -> Tensor:
    """Normal numbers of mean `mean` and deviation `std`; no gradient, as in PyTorch.

    mean, std: numbers or tensors that broadcast; two numbers need a size. A gradient passes through
    mean + std * fn.randn_like(mean). Raises ValueError for a number below 0 as std.

    >>> normal(0.0, 2.0, (2, 3)).shape
    (2, 3)
    """
    if isinstance(std, Real):
        std = real(std, "normal: std", "a number from 0 on", 0)
    if isinstance(mean, Real):
        mean = real(mean, "normal: mean")
    if isinstance(mean, float) and isinstance(std, float):
        if size is None:
            raise TypeError("normal: two numbers need a size, as in normal(0.0, 1.0, (2, 3))")
        return affine(_drawn("normal", "normal", sizes_of((size,)), None), float(std), float(mean))
    if size is not None:
        raise TypeError("normal: a size is for two numbers; tensors have their own shape")
    specs = [as_tensor(value).spec for value in (mean, std)]
    numbers = draw("normal", broadcast_shape("normal", *specs))
    parts = [value if isinstance(value, float) else detach(value) for value in (mean, std)]
    return add(mul(numbers, parts[1]), parts[0])
