"""Lazy layers: the number of inputs is that of the first example, as in PyTorch.

A lazy layer is made of its plain class with one input, and parameters without a shape. When its
first forward is traced it gets them, with initial values, and turns into its plain class. Make the
optimizer after a first call.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.context import tracing, untraced
from fastnn.graph import Tensor, as_tensor
from fastnn.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, _Convolution
from fastnn.nn.linear import Linear
from fastnn.nn.module import Module
from fastnn.nn.norm import BatchNorm1d, BatchNorm2d
from fastnn.nn.parameter import (
    Buffer,
    Parameter,
    Uninitialized,
    UninitializedBuffer,
    UninitializedParameter,
)
from fastnn.spec import ShapeError


class _Lazy(Module):
    """Base of lazy layers."""

    plain: ClassVar[type[Module]]
    ranks_taken: ClassVar[tuple[int, ...]] = ()  # empty: any

    def forget(self, *names: str) -> None:
        """Have parameters and buffers of these names without a shape, where there are any."""
        for name in names:
            value = getattr(self, name)
            if isinstance(value, Parameter):
                setattr(self, name, UninitializedParameter())
            elif isinstance(value, Buffer):
                setattr(self, name, UninitializedBuffer())

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(isinstance(value, Uninitialized) for table in ("_parameters", "_buffers")
                   for value in self.__dict__[table].values())

    def initialize_parameters(self, input: Tensor) -> None:
        """Give parameters the shapes that an input asks for, unless a loaded state has done so."""
        raise NotImplementedError

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if inputs and (tracing() or isinstance(inputs[0], Tensor)):
            x = as_tensor(inputs[0])
            if self.ranks_taken and x.ndim not in self.ranks_taken:
                raise ShapeError(f"{type(self).__name__}: expected rank {self.ranks_taken}, got "
                                 f"shape {x.shape}")
            with untraced():
                self.initialize_parameters(x)
            self.__class__ = self.plain  # type: ignore[assignment]
        return Module.__call__(self, *inputs, **options)

    def materialize(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Give those of these parameters and buffers that have no shape theirs."""
        for name, shape in shapes.items():
            value = getattr(self, name)
            if isinstance(value, Uninitialized):
                value.materialize(shape)


class LazyLinear(_Lazy, Linear):
    """A `Linear` whose in_features is the size of the last axis of its first input.

    >>> layer = LazyLinear(3)
    >>> layer(np.ones((2, 5), np.float32)).shape, layer
    ((2, 3), Linear(in_features=5, out_features=3, bias=True))
    """

    plain = Linear

    def __init__(self, out_features: int, bias: bool = True) -> None:
        super().__init__(1, out_features, bias)
        self.in_features = 0
        self.forget("weight", "bias")

    def initialize_parameters(self, input: Tensor) -> None:
        """The last axis of the input has the features."""
        fresh = self.has_uninitialized_params()
        self.in_features = self.weight.shape[1] if not fresh else input.shape[-1]
        self.materialize({"weight": (self.out_features, self.in_features),
                          "bias": (self.out_features,)})
        if fresh:
            self.reset_parameters()


class _LazyConvolution(_Lazy, _Convolution):
    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **options: Any) -> None:
        groups = options.get("groups", args[self.groups_at] if len(args) > self.groups_at else 1)
        super().__init__(groups, out_channels, kernel_size, *args, **options)
        self.in_channels = 0
        self.forget("weight", "bias")

    groups_at: ClassVar[int] = 3  # its place behind kernel_size

    def initialize_parameters(self, input: Tensor) -> None:
        """The axis before those that the kernel moves along has the channels."""
        fresh = self.has_uninitialized_params()
        self.in_channels = input.shape[-self.axes - 1]
        if not fresh:  # a loaded state has the shape
            self.in_channels = (self.weight.shape[0] if self.transposed else
                                self.weight.shape[1] * self.groups)
        self.check_groups()
        self.materialize({"weight": self.weight_shape(), "bias": (self.out_channels,)})
        if fresh:
            self.reset_parameters()


class LazyConv1d(_LazyConvolution, Conv1d):
    """A `Conv1d` whose in_channels is that of its first input.

    >>> layer = LazyConv1d(8, 3)
    >>> layer(np.ones((2, 5, 9), np.float32)).shape, layer
    ((2, 8, 7), Conv1d(5, 8, kernel_size=(3,), stride=(1,)))
    """

    plain, ranks_taken = Conv1d, (2, 3)


class LazyConv2d(_LazyConvolution, Conv2d):
    """A `Conv2d` whose in_channels is that of its first input.

    >>> layer = LazyConv2d(8, 3)
    >>> layer(np.ones((2, 5, 9, 9), np.float32)).shape, layer
    ((2, 8, 7, 7), Conv2d(5, 8, kernel_size=(3, 3), stride=(1, 1)))
    """

    plain, ranks_taken = Conv2d, (3, 4)


class LazyConvTranspose1d(_LazyConvolution, ConvTranspose1d):
    """A `ConvTranspose1d` whose in_channels is that of its first input.

    >>> LazyConvTranspose1d(8, 3)(np.ones((2, 5, 9), np.float32)).shape
    (2, 8, 11)
    """

    plain, ranks_taken = ConvTranspose1d, (2, 3)


class LazyConvTranspose2d(_LazyConvolution, ConvTranspose2d):
    """A `ConvTranspose2d` whose in_channels is that of its first input.

    >>> LazyConvTranspose2d(8, 3)(np.ones((2, 5, 9, 9), np.float32)).shape
    (2, 8, 11, 11)
    """

    plain, ranks_taken = ConvTranspose2d, (3, 4)


class _LazyBatchNorm(_Lazy):
    num_features: int

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(1, eps, momentum, affine, track_running_stats)  # type: ignore[call-arg]
        self.num_features = 0
        self.forget("weight", "bias", "running_mean", "running_var")

    def initialize_parameters(self, input: Tensor) -> None:
        """The second axis of the input has the channels."""
        fresh = self.has_uninitialized_params()
        self.num_features = input.shape[1]
        names = ("weight", "bias", "running_mean", "running_var")
        values = [value for name in names if (value := getattr(self, name)) is not None]
        if not fresh and values:
            self.num_features = values[0].shape[0]
        self.materialize(dict.fromkeys(names, (self.num_features,)))
        if fresh:
            for name in ("weight", "running_var"):
                if getattr(self, name) is not None:
                    getattr(self, name).data = np.ones(self.num_features, np.float32)


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A `BatchNorm1d` whose num_features is the number of channels of its first input.

    >>> LazyBatchNorm1d()(np.random.rand(4, 3).astype(np.float32)).shape
    (4, 3)
    """

    plain, ranks_taken = BatchNorm1d, (2, 3)


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A `BatchNorm2d` whose num_features is the number of channels of its first input.

    >>> LazyBatchNorm2d()(np.random.rand(4, 3, 2, 2).astype(np.float32)).shape
    (4, 3, 2, 2)
    """

    plain, ranks_taken = BatchNorm2d, (4,)
