"""Preprocessing that is fitted to the training examples and applied to all: centre and scale."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from fastnn.arguments import instance, integer
from fastnn.data.arrays import Array, as_float
from fastnn.data.examples import Examples

Float64 = npt.NDArray[np.float64]


class Steps(NamedTuple):
    """Preprocessing as arithmetic: y = (x - mean) / std, then y = flatten(y) matrix.

    mean, std: they broadcast along a batch (n, ...). matrix: (features, components). None: a step
    that is not there. is_reshaped: whether the product gets the shape of the examples back.
    """

    mean: Float64
    std: Float64 | None = None
    matrix: Float64 | None = None
    is_reshaped: bool = True


class Preprocessor(ABC):
    """Base of all preprocessing: `fit` to examples, then `transform`; saved as arrays.

    uint8 examples count as numbers in [0, 1], when fitting and when transforming, so that what
    was fitted on stored images fits the batches that `Batches` makes of them. Fitting reads
    memory-mapped files in pieces, or batches one after the other, and sums in float64: the examples
    need not fit in memory. `nn.Preprocess` makes a layer of what was fitted, to be saved with a
    model and applied in every prediction.
    """

    # The shape of one fitted example; None before the fit.
    example_shape: tuple[int, ...] | None = None

    @abstractmethod
    def _fit(self, x: Examples) -> None:
        """Set the fitted arrays from the examples, checked."""

    @abstractmethod
    def _arrays(self) -> dict[str, Array]:
        """Return what `_restore` needs."""

    @abstractmethod
    def _blank(self, example_shape: tuple[int, ...]) -> None:
        """Set the arrays that change nothing, for examples of that shape."""

    @property
    @abstractmethod
    def steps(self) -> "Steps":
        """What is fitted, as arithmetic on a batch."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Array]) -> None:
        """Set the fitted arrays, and options, from what `_arrays` returned."""

    def fit(self, x: Any) -> Self:
        """Measure the examples `x` (n, features) or (n, channels, height, width).

        Args:
            x: an array, which may be memory-mapped; or an iterable of batches that begins anew each
                time, such as a list or a `Batches`; each batch an array, or a pair (x, y).

        Returns:
            The object itself.

        Raises:
            TypeError: `x` is neither; a generator, for one, can be read once only.
            ValueError: `x` is empty, of rank below 2, or holds NaN or infinity.
        """
        examples = Examples(x, repr(self))
        self._fit(examples)
        self.example_shape = examples.shape
        return self

    @abstractmethod
    def transform(self, x: Array) -> npt.NDArray[np.float32]:
        """Return `x` (n, ...) transformed, float32; `x` does not change.

        Raises:
            ValueError: `fit` was not called, or `x` differs in shape from the fitted examples.
        """

    def _check(self, x: Array) -> None:
        self._check_fitted("transform")
        instance(x, "x", np.ndarray)
        if not self._accepts(x.shape[1:]):
            raise ValueError(
                f"{self!r}: x has shape {x.shape}, "
                f"expected (n, {', '.join(map(str, self.example_shape or ()))})"
            )

    def _check_fitted(self, method: str) -> None:
        if self.example_shape is None:
            raise ValueError(f"{self!r}: call fit before {method}")

    def fit_transform(self, x: Array) -> npt.NDArray[np.float32]:
        """Fit on `x` (n, ...) and return it transformed."""
        return self.fit(x).transform(x)

    def state(self) -> dict[str, Array]:
        """Return all that was fitted as named arrays, to be saved.

        Raises:
            ValueError: `fit` was not called.
        """
        self._check_fitted("state")
        return {"example_shape": np.array(self.example_shape, np.int64), **self._arrays()}

    def blank(self, example_shape: tuple[int, ...]) -> Self:
        """Be as if fitted to examples of that shape that need no change, and return itself.

        For a net whose fitted arrays are to be loaded from a file (see `nn.Preprocess`).
        """
        shape = tuple(integer(size, "example_shape", "sizes from 1 on", 1)
                      for size in example_shape)
        if not shape:
            raise ValueError(f"{self!r}: example_shape must hold a size at least")
        self._blank(shape)
        self.example_shape = shape
        return self

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> Self:
        """Restore a fitted object from what `state` returned.

        Raises:
            ValueError: an array is missing.
        """
        restored = cls()
        try:
            restored._restore(state)
            restored.example_shape = tuple(int(size) for size in state["example_shape"])
        except KeyError as error:
            raise ValueError(f"{cls.__name__}: the saved state has no array {error}") from error
        return restored

    def _accepts(self, example_shape: tuple[int, ...]) -> bool:
        return example_shape == self.example_shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class InPlace(Preprocessor):
    """Base of preprocessing that keeps the shape of examples, so that batches change in place."""

    @abstractmethod
    def _change(self, x: Array) -> None:
        """Transform `x` (n, ...) in place; floating point, shape checked."""

    def transform(self, x: Array) -> npt.NDArray[np.float32]:
        """Return `x` (n, ...) transformed, float32 of the same shape; `x` does not change.

        Raises:
            ValueError: `fit` was not called, or `x` differs in shape from the fitted examples.
        """
        self._check(x)
        transformed = own_floats(x)
        self._change(transformed)
        return transformed.astype(np.float32, copy=False)

    def change(self, x: npt.NDArray[np.float32]) -> None:
        """Transform `x` (n, ...) float32 in place, with `working_bytes` of memory.

        Raises:
            ValueError: as `transform`.
        """
        self._check(x)
        self._change(x)

    def working_bytes(self, values: int) -> int:
        """How much memory `change` takes for a batch of so many values."""
        return 0


class MeanImage(InPlace):
    """Subtract the mean example, one number for each channel and pixel (as AlexNet does).

    y = x - mean, with `mean` of the shape of one example.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks" (2012).

    Example:
        >>> MeanImage().fit_transform(np.array([[1.0, 2.0], [3.0, 6.0]]))
        array([[-1., -2.],
               [ 1.,  2.]], dtype=float32)
    """

    mean: Float64

    def _fit(self, x: Examples) -> None:
        self.mean = mean_over(x, (0,))

    def _change(self, x: Array) -> None:
        subtract_mean(x, self.mean)

    def _blank(self, example_shape: tuple[int, ...]) -> None:
        self.mean = np.zeros(example_shape)

    @property
    def steps(self) -> Steps:
        """Subtract the mean."""
        return Steps(self.mean)

    def _arrays(self) -> dict[str, Array]:
        return {"mean": self.mean}

    def _restore(self, state: Mapping[str, Array]) -> None:
        self.mean = np.array(state["mean"], np.float64)


class ChannelMean(MeanImage):
    """Subtract the mean of each channel, or of each feature of a table (as VGG does).

    y[n, c, ...] = x[n, c, ...] - mean[c], with `mean` of shape (channels,). Images of another
    height and width than the fitted ones are accepted.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition" (2015).

    Example:
        >>> x = np.arange(8.0).reshape(1, 2, 2, 2)
        >>> ChannelMean().fit(x).mean
        array([1.5, 5.5])
    """

    def _fit(self, x: Examples) -> None:
        self.mean = mean_over(x, _all_but_channels(x))

    def _change(self, x: Array) -> None:
        subtract_mean(x, _along_channels(self.mean, x.ndim))

    def _blank(self, example_shape: tuple[int, ...]) -> None:
        self.mean = np.zeros(example_shape[0])

    @property
    def steps(self) -> Steps:
        """Subtract the mean of each channel."""
        return Steps(self._spread(self.mean))

    def _spread(self, values: Float64) -> Float64:
        return _along_channels(values, 1 + len(self.example_shape or ()))

    def _accepts(self, example_shape: tuple[int, ...]) -> bool:
        fitted = self.example_shape or ()
        return len(example_shape) == len(fitted) and example_shape[0] == fitted[0]


class Standardize(ChannelMean):
    """Give each channel of images, or each feature of a table, mean 0 and deviation 1.

    y[n, c, ...] = (x[n, c, ...] - mean[c]) / std[c], with `mean` and `std` of shape (channels,)
    and std² = mean of (x - mean)², over n examples and not n - 1. A constant channel is only
    centred (its `std` is 1).

    Source: LeCun et al., "Efficient backprop" (1998), section 4.3.

    Example:
        >>> Standardize().fit_transform(np.array([[1.0, 5.0], [3.0, 5.0]]))
        array([[-1.,  0.],
               [ 1.,  0.]], dtype=float32)
    """

    std: Float64

    def _fit(self, x: Examples) -> None:
        super()._fit(x)
        variance = mean_over(x, _all_but_channels(x), around=self.mean)
        std = np.sqrt(variance)
        # The largest deviation that rounding leaves in a constant channel.
        summed = x.count * math.prod(x.shape[1:])
        constant = std <= summed * np.finfo(np.float64).eps * np.abs(self.mean)
        self.std = np.where(constant, 1.0, std)

    def _change(self, x: Array) -> None:
        super()._change(x)
        np.divide(x, _along_channels(self.std, x.ndim).astype(x.dtype), out=x)

    def _blank(self, example_shape: tuple[int, ...]) -> None:
        super()._blank(example_shape)
        self.std = np.ones(example_shape[0])

    @property
    def steps(self) -> Steps:
        """Subtract each channel's mean, divide by its deviation."""
        return Steps(self._spread(self.mean), self._spread(self.std))

    def _arrays(self) -> dict[str, Array]:
        return {"mean": self.mean, "std": self.std}

    def _restore(self, state: Mapping[str, Array]) -> None:
        super()._restore(state)
        self.std = np.array(state["std"], np.float64)


def own_floats(x: Array) -> Array:
    """Return `x` as floating point (see `as_float`), in memory of its own.

    Example:
        >>> own_floats(np.array([255, 0], np.uint8))
        array([1., 0.], dtype=float32)
    """
    floats = as_float(np.asarray(x))
    return floats.copy() if np.may_share_memory(floats, x) else floats


def mean_over(x: Examples, axes: tuple[int, ...], around: Float64 | None = None) -> Float64:
    """Return the mean of the examples `x` (n, ...) over `axes`, summed in float64, by pieces.

    Args:
        x: (n, ...), real numbers; uint8 counts as numbers in [0, 1].
        axes: must hold 0.
        around: (channels,); where given, the mean of (x - around)² is returned. A second pass,
            and not E[x²] - E[x]², which cancels.

    Raises:
        ValueError: the result is NaN or infinite.

    Example:
        >>> x = Examples(np.array([[1.0, 5.0], [3.0, 5.0]]), "x")
        >>> mean_over(x, (0,), around=np.array([2.0, 5.0]))
        array([1., 0.])
    """
    total: Any = 0.0
    for piece in x:
        values = piece.astype(np.float64, copy=around is not None)
        if around is not None:
            values -= _along_channels(around, values.ndim)
            np.square(values, out=values)
        total = total + values.sum(axis=axes)
    count = x.count * math.prod(x.shape[axis - 1] for axis in axes if axis)
    mean: Float64 = np.asarray(total / count, np.float64)
    if not np.isfinite(mean).all():
        raise ValueError("x holds NaN, infinity or values too large, expected finite numbers")
    return mean


def _all_but_channels(x: Examples) -> tuple[int, ...]:
    return (0, *range(2, len(x.shape) + 1))


def _along_channels(values: Float64, rank: int) -> Float64:
    """Return `values` (channels,) shaped to broadcast along axis 1 of an array of that rank."""
    return values.reshape(-1, *(1,) * (rank - 2))


def subtract_mean(x: Array, mean: Float64) -> None:
    """Subtract `mean` from `x`, in place, in two parts: what the dtype of `x` holds, and the rest.

    In float32, the mean of numbers far from zero has not enough digits for their differences.

    Example:
        >>> x = np.array([1e8, 1e8 + 8], np.float32)
        >>> subtract_mean(x, np.array(1e8 + 4))
        >>> x
        array([-4.,  4.], dtype=float32)
    """
    rounded = mean.astype(x.dtype)
    np.subtract(x, rounded, out=x)
    np.subtract(x, (mean - rounded).astype(x.dtype), out=x)
