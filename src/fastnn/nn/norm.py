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
from fastnn.ops.windows import check_channels, whole_number
from fastnn.spec import ShapeError


class _BatchNorm(Module):
    ranks: tuple[int, ...] = ()

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        num_features = whole_number(num_features, "num_features")
        self.num_features, self.momentum = num_features, momentum
        self.eps = real(eps, "eps", "a number above 0", above=0)
        if momentum is not None:
            self.momentum = real(momentum, "momentum", "a number from 0 to 1 or None", 0, 1)
        self.affine = affine = flag(affine, "affine")
        self.track_running_stats = tracked = flag(track_running_stats, "track_running_stats")
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean = Buffer(np.zeros(num_features, np.float32)) if tracked else None
        self.running_var = Buffer(np.ones(num_features, np.float32)) if tracked else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int64)) if tracked else None

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

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, track_running_stats={self.track_running_stats}")


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
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_groups = whole_number(num_groups, "num_groups")
        self.num_channels = whole_number(num_channels, "num_channels")
        if self.num_channels % self.num_groups:
            raise ShapeError(f"GroupNorm: num_groups {num_groups} does not divide num_channels "
                             f"{num_channels}")
        self.eps, self.affine = real(eps, "eps", "a number from 0 on", 0), flag(affine, "affine")
        self.weight = Parameter(np.ones(num_channels, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, np.float32)) if affine else None

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        if x.ndim < 2:
            raise ShapeError(f"GroupNorm: expected rank 2 or more with {self.num_channels} "
                             f"channels, got shape {x.shape}")
        check_channels("GroupNorm", x.shape, self.num_channels, "its num_channels")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
