"""Dropout: zero some values at random and scale the rest (Srivastava et al., 2014).

The mask is never stored: it is a function of (seed, step, layer, place), so that the backward pass,
a recomputation and a resumed run draw the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.binary import add, affine, mul
from fastnn.ops.clamp import clamp_max
from fastnn.ops.compare import ge
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.random import draw
from fastnn.runtime.random import new_stream, random_key
from fastnn.spec import ShapeError, Spec, check_float


@dataclass(frozen=True)
class Dropout(Op):
    """y = x / (1 - p) where kept, else 0; inputs x and the random key (seed, step)."""

    p: float
    stream: int

    @property
    def name(self) -> str:
        return "dropout"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float("dropout", inputs[0])
        return inputs[:1]

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(self, grads[0], node.inputs[1]), None)

    def lower(self, node: Node) -> list[Call]:
        x, key = node.inputs
        y = node.outputs[0]
        return [Call("dropout", (x, y, key), (y.size, self.stream), (self.p,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


def _probability(p: Any, training: Any, name: str) -> float:
    """The share to drop, 0 if not in training."""
    p = real(p, f"{name}'s probability p", "a number from 0 to 1", 0, 1)
    return p if flag(training, "training") else 0.0


@operation()
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """input with a share p of its values zeroed at random and the others divided by 1 - p.

    Without `training` it is the input itself. inplace has no effect.

    >>> import numpy as np
    >>> dropout(np.ones((2, 3)), 0.2).shape
    (2, 3)
    """
    flag(inplace, "inplace")
    share = _probability(p, training, "dropout")
    if share == 0.0:
        return as_tensor(input)
    return apply(Dropout(share, new_stream()), input, random_key())


def _kept(shape: tuple[int, ...], share: float) -> Tensor:
    """A mask of 0 and 1: 0 with probability `share`."""
    return ge(draw("uniform", shape), share)


def _by_channel(
    name: str, input: Any, p: Any, training: Any, inplace: Any, ranks: tuple[int, ...],
    batched: int, expected: str,
) -> Tensor:
    """Dropout of whole channels: one number for each (example, channel).

    batched: the fewest axes of an input with a batch.
    """
    flag(inplace, "inplace")
    x, share = as_tensor(input), _probability(p, training, name)
    if x.ndim not in ranks:
        raise ShapeError(f"{name}: expected {expected}, got shape {x.shape}")
    if share == 0.0:
        return x
    if share == 1.0:
        return affine(x, 0.0)
    leading = x.shape[:2 if x.ndim >= batched else 1]
    mask = _kept((*leading, *[1] * (x.ndim - len(leading))), share)
    return mul(x, affine(mask, 1 / (1 - share)))


@operation()
def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (batch, channels, length) or (channels, length).

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.

    >>> import numpy as np
    >>> dropout1d(np.ones((2, 3, 5))).shape
    (2, 3, 5)
    """
    return _by_channel("dropout1d", input, p, training, inplace, (2, 3), 3,
                       "(batch, channels, length) or (channels, length)")


@operation()
def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (batch, channels, height, width).

    As in PyTorch, three axes are (batch, channels, length), not an image without a batch.
    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.

    >>> import numpy as np
    >>> dropout2d(np.ones((2, 3, 5, 5))).shape
    (2, 3, 5, 5)
    """
    return _by_channel("dropout2d", input, p, training, inplace, (3, 4), 3,
                       "(batch, channels, height, width)")


@operation()
def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of (batch, channels, depth, height, width), batch optional.

    >>> import numpy as np
    >>> dropout3d(np.ones((2, 3, 4, 5, 5))).shape
    (2, 3, 4, 5, 5)
    """
    return _by_channel("dropout3d", input, p, training, inplace, (4, 5), 5,
                       "(batch, channels, depth, height, width), batch optional")


SELU_FLOOR = -1.7580993408473766  # what selu gives far below 0: -scale * alpha


def _alpha(x: Tensor, share: float, mask_shape: tuple[int, ...]) -> Tensor:
    """a (kept ? x : floor) + b, where a and b keep mean 0 and variance 1."""
    if share == 0.0:
        return x
    if share == 1.0:
        return affine(x, 0.0)
    a = ((SELU_FLOOR**2 * share + 1) * (1 - share)) ** -0.5
    mask = _kept(mask_shape, share)
    shift = affine(mask, -a * SELU_FLOOR, a * SELU_FLOOR * (1 - share))
    return add(mul(x, affine(mask, a)), shift)


@operation()
def alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for nets of selu: dropped values become selu's floor, mean and variance stay.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> import numpy as np
    >>> alpha_dropout(np.ones((2, 3)), training=True).shape
    (2, 3)
    """
    flag(inplace, "inplace")
    x = as_tensor(input)
    return _alpha(x, _probability(p, training, "alpha_dropout"), x.shape)


@operation()
def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """alpha_dropout of whole channels of (batch, channels, ...).

    >>> import numpy as np
    >>> feature_alpha_dropout(np.ones((2, 3, 5, 5)), training=True).shape
    (2, 3, 5, 5)
    """
    flag(inplace, "inplace")
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: expected (batch, channels, ...), got shape "
                         f"{x.shape}")
    share = _probability(p, training, "feature_alpha_dropout")
    return _alpha(x, share, (*x.shape[:2], *[1] * (x.ndim - 2)))


@operation()
def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x above 0, else a x with a slope a drawn from [lower, upper) for each value.

    Without `training` all slopes are (lower + upper) / 2.
    Source: Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional
    network", 2015.

    >>> import numpy as np
    >>> rrelu(np.ones((2, 3)), training=True).shape
    (2, 3)
    """
    flag(inplace, "inplace")
    x = as_tensor(input)
    lower = real(lower, "rrelu: lower")
    upper = real(upper, "rrelu: upper", f"a number from lower, {lower}, on", lower)
    if not flag(training, "training"):
        return FUNCTIONS["leaky_relu"](x, (lower + upper) / 2)
    slope = affine(draw("uniform", x.shape), upper - lower, lower)
    return add(FUNCTIONS["relu"](x), mul(slope, clamp_max(x, 0.0)))
