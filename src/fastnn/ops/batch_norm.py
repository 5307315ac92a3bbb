"""Batch normalisation (Ioffe and Szegedy, 2015) as several operations.

Statistics are a separate node and always kept. So a recomputed layer applies the stored statistics
and has the same bits, and running statistics change once in a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import flag, real
from fastnn.graph import (
    Call,
    Composed,
    Node,
    Op,
    Tensor,
    apply,
    apply_all,
    as_tensor,
    constant,
    moved_bytes,
    record_update,
)
from fastnn.ops.binary import add, affine, mul, sub
from fastnn.ops.norm_gradient import through_norm
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError, Spec, check_float


def _rows(shape: tuple[int, ...]) -> tuple[int, int]:
    """(m, c) of a matrix or a batch of images; both have channels last in memory."""
    channels = shape[1]
    return int(np.prod(shape)) // channels, channels


def of_channels(rank: int, values: Tensor) -> Tensor:
    """One value for each channel, to be broadcast to a tensor of that rank."""
    return reshape(values, -1, *[1] * (rank - 2))


def _call(kernel: str, node: Node, *eps: float) -> list[Call]:
    """A kernel call on all inputs and outputs; the first output has the rows."""
    return [Call(kernel, (*node.inputs, *node.outputs), _rows(node.outputs[0].shape), eps)]


@dataclass(frozen=True)
class BatchNormStats(Op):
    """mean and biased variance of every channel."""

    @property
    def name(self) -> str:
        return "batch_norm_stats"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        channels = (inputs[0].shape[1],)
        return (Spec(channels), Spec(channels))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        (x,) = node.inputs
        dmean, dvar = (of_channels(x.ndim, grad) for grad in grads)
        centred = sub(x, of_channels(x.ndim, node.outputs[0]))
        return (affine(add(dmean, mul(centred, affine(dvar, 2.0))), 1 / _rows(x.shape)[0]),)

    def lower(self, node: Node) -> list[Call]:
        x = node.inputs[0]
        return [Call("batch_norm_stats", (x, *node.outputs), _rows(x.shape))]

    def work(self, node: Node) -> Mapping[str, float]:
        return {"statistics": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 3.0 * node.inputs[0].size


@dataclass(frozen=True)
class BatchNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias; inputs x, mean, var, weight, bias."""

    eps: float
    training: bool
    relu: bool = False

    @property
    def name(self) -> str:
        return "batch_norm_relu" if self.relu else "batch_norm"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, mean, var, weight, bias = node.inputs
        inputs = (grads[0], x, mean, var, weight, *((bias,) if self.relu else ()))
        dx, dweight, dbias = apply_all(BatchNormGrad(self.eps, self.training, self.relu), *inputs)
        return (dx, None, None, dweight, dbias)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not self.training and not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        kernel = "batch_norm_apply_relu" if self.relu else "batch_norm_apply"
        return _call(kernel, node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 2.0 * node.outputs[0].size


@dataclass(frozen=True)
class BatchNormAddReLU(Op):
    """y = max(0, batch_norm(x) + shortcut), the end of a residual block; the shortcut comes last.

    Only fusion makes it, after autodiff.
    """

    eps: float

    @property
    def name(self) -> str:
        return "batch_norm_add_relu"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def lower(self, node: Node) -> list[Call]:
        return _call("batch_norm_apply_add_relu", node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0, 5)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 3.0 * node.outputs[0].size


@dataclass(frozen=True)
class BatchNormsAddReLU(Op):
    """y = max(0, batch_norm(x) + batch_norm(z)): the shortcut has a norm of its own.

    Inputs x, mean, var, weight, bias, then those of z; eps of each. Only fusion makes it.
    """

    eps: tuple[float, float]

    @property
    def name(self) -> str:
        return "batch_norms_add_relu"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def lower(self, node: Node) -> list[Call]:
        return _call("batch_norm_apply_both_relu", node, *self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0, 5)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 5.0 * node.outputs[0].size


@dataclass(frozen=True)
class BatchNormGrad(Composed):
    """dx, dweight, dbias from dy, x, mean, var, weight (and bias, when a ReLU is fused).

    In training mode mean and variance depend on x too.
    """

    eps: float
    training: bool
    relu: bool = False

    @property
    def name(self) -> str:
        return f"batch_norm{'_eval' * (not self.training)}{'_relu' * self.relu}_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        channels = inputs[4]
        return (inputs[0], channels, channels)

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        dy, x, *statistics = inputs
        mean, var, weight = (of_channels(x.ndim, values) for values in statistics)
        axes = (0, *range(2, x.ndim))
        rstd = FUNCTIONS["rsqrt"](add(var, self.eps))
        y, scaled = mul(sub(x, mean), rstd), mul(dy, weight)
        dx = through_norm(scaled, y, rstd, axes) if self.training else mul(scaled, rstd)
        return dx, sum(mul(dy, y), axes), sum(dy, axes)

    def lower(self, node: Node) -> list[Call]:
        return _call(self.name, node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm gradient": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 8.0 * node.outputs[0].size


@dataclass(frozen=True)
class BatchNormGradInput(Op):
    """dx from dy, x, mean, var, weight (and bias, when a ReLU is fused), dweight and dbias.

    Only fusion makes it, where the producer of dy computes dweight and dbias as it writes.
    """

    eps: float
    relu: bool

    @property
    def name(self) -> str:
        return f"batch_norm{'_relu' * self.relu}_grad_input"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def lower(self, node: Node) -> list[Call]:
        return _call(self.name, node, self.eps)

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 4.0 * node.outputs[0].size


@dataclass(frozen=True)
class BatchNormUpdate(Op):
    """Update running statistics; inputs mean, var, running mean, running var, batch count."""

    rows: int
    momentum: float | None  # None: average over all batches
    effect: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "batch_norm_update"

    @property
    def factors(self) -> tuple[float, float]:
        """The factors of mean and variance in the update; the variance becomes the unbiased one.

        Rounded up, so that the update is finite whenever the product with this factor is.
        """
        share = max(abs(self.momentum or 0.0), 1.0)
        unbiased = np.float32(share * self.rows / (self.rows - 1))
        return share, float(np.nextafter(unbiased, np.float32(np.inf)))

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return ()

    def lower(self, node: Node) -> list[Call]:
        d = (self.rows, node.inputs[0].size, self.momentum is None)
        return [Call("batch_norm_update", node.inputs, d, (self.momentum or 0.0,))]


def _check(x: Tensor, training: bool, **parameters: Tensor | None) -> None:
    if x.ndim not in (2, 3, 4):
        raise ShapeError(f"batch_norm: expected (batch, channels, ...), got {x.shape}")
    check_float("batch_norm", x.spec)
    for name, value in parameters.items():
        if value is not None and value.shape != (x.shape[1],):
            raise ShapeError(
                f"batch_norm: {name} {value.shape} does not fit input {x.shape} "
                f"with {x.shape[1]} channels")
    if training and _rows(x.shape)[0] < 2:
        raise ShapeError(
            f"batch_norm: training needs more than one value per channel, got input {x.shape}")


def normalize(
    x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float, training: bool
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, for x as a matrix or images."""
    channels = as_tensor(x).shape[1]
    weight = constant(np.ones(channels, np.float32)) if weight is None else weight
    bias = constant(np.zeros(channels, np.float32)) if bias is None else bias
    return apply(BatchNorm(eps, training), x, mean, var, weight, bias)


def update_running(
    rows: int, momentum: float | None, mean: Tensor, var: Tensor, running_mean: Any,
    running_var: Any, num_batches: Any = None,
) -> None:
    """Add the update of the running statistics, of those that are given, to the step."""
    running = [np.zeros(mean.shape, np.float32) if values is None else values
               for values in (running_mean, running_var)]
    count = np.zeros(1, np.int64) if num_batches is None else num_batches
    if running_mean is not None or running_var is not None:
        record_update(BatchNormUpdate(rows, momentum), mean, var, *running, count)


@operation()
def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float | None = 0.1, eps: float = 1e-5,
    num_batches_tracked: Any = None,
) -> Tensor:
    """Batch normalisation over axis 1, as torch.nn.functional.batch_norm.

    In training mode y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias with the batch's own
    statistics, and a step moves the running ones once. momentum=None averages over all batches.
    (Ioffe and Szegedy, 2015)
    """
    x, training = as_tensor(input), flag(training, "batch_norm: training")
    tensors = {"running_mean": running_mean, "running_var": running_var, "weight": weight,
               "bias": bias}
    eps = real(eps, "batch_norm: eps")
    if momentum is not None:
        momentum = real(momentum, "batch_norm: momentum", "a number or None")
    checked = {key: None if value is None else as_tensor(value) for key, value in tensors.items()}
    _check(x, training, **checked)
    if x.ndim == 3:  # (batch, channels, length) as images of height 1
        image = reshape(x, x.shape[0], x.shape[1], 1, x.shape[2])
        y = batch_norm(image, running_mean, running_var, weight, bias, training, momentum, eps,
                       num_batches_tracked)
        return reshape(y, x.shape)
    if not training:
        if running_mean is None or running_var is None:
            raise ShapeError("batch_norm: evaluation needs running_mean and running_var")
        return normalize(x, running_mean, running_var, weight, bias, eps, False)
    mean, var = apply_all(BatchNormStats(), x)
    update_running(_rows(x.shape)[0], momentum, mean, var, running_mean, running_var,
                   num_batches_tracked)
    return normalize(x, mean, var, weight, bias, eps, True)
