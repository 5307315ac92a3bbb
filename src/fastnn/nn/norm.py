"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import flag, real
from fastnn.graph import as_tensor
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer, Parameter
from fastnn.ops.batch_norm import batch_norm
from fastnn.ops.group_norm import group_norm
from fastnn.ops.instance_norm import instance_norm
from fastnn.ops.layer_norm import layer_norm
from fastnn.ops.local_response_norm import local_response_norm
from fastnn.ops.rms_norm import rms_norm
from fastnn.ops.row_norm import normalized_sizes
from fastnn.ops.windows import check_channels, whole_number
from fastnn.spec import ShapeError


class _Tracked(Module):
    """What batch norm and instance norm have in common: their state."""

    ranks: tuple[int, ...] = ()

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, *, bias: bool = True,
    ) -> None:
        super().__init__()
        num_features = whole_number(num_features, "num_features")
        self.num_features, self.momentum = num_features, momentum
        self.eps = real(eps, "eps")
        if momentum is not None:
            self.momentum = real(momentum, "momentum", "a number or None")
        self.affine = affine = flag(affine, "affine")
        self.track_running_stats = tracked = flag(track_running_stats, "track_running_stats")
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        biased = flag(bias, "bias") and affine
        self.bias = Parameter(np.zeros(num_features, np.float32)) if biased else None
        self.running_mean = Buffer(np.zeros(num_features, np.float32)) if tracked else None
        self.running_var = Buffer(np.ones(num_features, np.float32)) if tracked else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int64)) if tracked else None

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class _BatchNorm(_Tracked):
    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        name = type(self).__name__
        if x.ndim not in self.ranks:
            raise ShapeError(f"{name}: expected rank {self.ranks} with {self.num_features} "
                             f"channels, got shape {x.shape}")
        check_channels(name, x.shape, self.num_features, "its num_features")
        return batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum, self.eps,
            self.num_batches_tracked)


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (n, c) or (n, c, length), as torch.nn.BatchNorm1d.

    y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias over all but the channel axis. In evaluation
    mode the running averages replace E and Var (Ioffe and Szegedy, 2015).
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (n, c, h, w), as torch.nn.BatchNorm2d.

    y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias over all but the channel axis. In evaluation
    mode the running averages replace E and Var (Ioffe and Szegedy, 2015).

    >>> BatchNorm2d(3)(np.random.rand(2, 3, 4, 4).astype(np.float32)).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class GroupNorm(Module):
    """Group normalisation of (n, c, ...), as torch.nn.GroupNorm.

    Formula as of `group_norm`; weight starts as 1, bias as 0, and without `affine` there is none
    (Wu and He, 2018).

    >>> GroupNorm(3, 6)(np.random.rand(2, 6, 4, 4).astype(np.float32)).shape
    (2, 6, 4, 4)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = whole_number(num_groups, "num_groups")
        self.num_channels = whole_number(num_channels, "num_channels")
        if self.num_channels % self.num_groups:
            raise ShapeError(f"GroupNorm: num_groups {num_groups} does not divide num_channels "
                             f"{num_channels}")
        self.eps, self.affine = real(eps, "eps"), flag(affine, "affine")
        self.weight = Parameter(np.ones(num_channels, np.float32)) if affine else None
        biased = flag(bias, "bias") and affine
        self.bias = Parameter(np.zeros(num_channels, np.float32)) if biased else None

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        if x.ndim < 2:
            raise ShapeError(f"GroupNorm: expected rank 2 or more with {self.num_channels} "
                             f"channels, got shape {x.shape}")
        check_channels("GroupNorm", x.shape, self.num_channels, "its num_channels")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class _InstanceNorm(_Tracked):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = False, track_running_stats: bool = False, *, bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias)

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        name, (rank,) = type(self).__name__, self.ranks
        if x.ndim not in (rank - 1, rank):
            raise ShapeError(f"{name}: expected rank {rank}, or {rank - 1} for one example, with "
                             f"{self.num_features} channels, got shape {x.shape}")
        alone = x.ndim < rank
        x = x[None] if alone else x
        if self.affine:
            check_channels(name, x.shape, self.num_features, "its num_features")
        y = instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return y[0] if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (n, c, length) or (c, length), as torch.nn.InstanceNorm1d.

    Formula as of `instance_norm`. In evaluation mode the running averages replace E and Var if
    track_running_stats (Ulyanov, Vedaldi and Lempitsky, 2016).

    >>> InstanceNorm1d(3)(np.random.rand(2, 3, 9).astype(np.float32)).shape
    (2, 3, 9)
    """

    ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (n, c, h, w) or (c, h, w), as torch.nn.InstanceNorm2d.

    Formula as of `instance_norm`. In evaluation mode the running averages replace E and Var if
    track_running_stats (Ulyanov, Vedaldi and Lempitsky, 2016).

    >>> InstanceNorm2d(3)(np.random.rand(2, 3, 4, 4).astype(np.float32)).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class LayerNorm(Module):
    """Layer normalisation over the last axes, as torch.nn.LayerNorm.

    Formula as of `layer_norm`; weight starts as 1, bias as 0 (Ba, Kiros and Hinton, 2016).

    >>> LayerNorm(8)(np.random.rand(2, 3, 8).astype(np.float32)).shape
    (2, 3, 8)
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = sizes = normalized_sizes("LayerNorm", normalized_shape)
        self.eps = real(eps, "eps")
        self.elementwise_affine = affine = flag(elementwise_affine, "elementwise_affine")
        biased = flag(bias, "bias") and affine
        self.weight = Parameter(np.ones(sizes, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(sizes, np.float32)) if biased else None

    def forward(self, x: Any) -> Any:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class RMSNorm(Module):
    """RMS normalisation over the last axes, as torch.nn.RMSNorm.

    Formula as of `rms_norm`; weight starts as 1 (Zhang and Sennrich, 2019).

    >>> RMSNorm(8)(np.random.rand(2, 3, 8).astype(np.float32)).shape
    (2, 3, 8)
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self.normalized_shape = sizes = normalized_sizes("RMSNorm", normalized_shape)
        self.eps = None if eps is None else real(eps, "eps", "a number or None")
        self.elementwise_affine = affine = flag(elementwise_affine, "elementwise_affine")
        self.weight = Parameter(np.ones(sizes, np.float32)) if affine else None

    def forward(self, x: Any) -> Any:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class LocalResponseNorm(Module):
    """Local response normalisation over channels, as torch.nn.LocalResponseNorm.

    Formula as of `local_response_norm` (Krizhevsky, Sutskever and Hinton, 2012).

    >>> LocalResponseNorm(5)(np.random.rand(2, 6, 4, 4).astype(np.float32)).shape
    (2, 6, 4, 4)
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        self.size = whole_number(size, "size")
        self.alpha, self.beta, self.k = real(alpha, "alpha"), real(beta, "beta"), real(k, "k")

    def forward(self, x: Any) -> Any:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
