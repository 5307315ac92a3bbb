"""Cut data into batches whose order depends on the seed and the epoch alone."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fastnn.data.arrays import Array, as_float, gather, is_mapped
from fastnn.data.checks import check_arrays, check_finite

Augment = Callable[[Array, np.random.Generator], Array]

_SHUFFLE, _AUGMENT = 0, 1


class Preprocess(Protocol):
    """What `Batches` needs of preprocessing: anything with `transform`."""

    def transform(self, x: Array) -> Array:
        """Return `x` (n, ...) transformed."""
        ...


class Batches:
    """Batches of examples and targets that can be drawn again from any point.

    The order of an epoch is a function of (seed, epoch), the augmentation of a batch one of
    (seed, epoch, batch number); both come from a counter-based generator. A run that resumes at
    batch b of epoch e therefore sees the same bits as one that was never stopped.

    Args:
        x: (n, ...) examples, real numbers; a memory-mapped file is read batch by batch.
        y: (n,) class numbers, or floating-point targets (n, ...).
        batch_size: examples in a batch; the last batch of an epoch may be smaller.
        shuffle: draw a new order for each epoch; otherwise keep that of `x`.
        seed: 0 or more.
        drop_last: leave the last batch out where it is smaller.
        transform: augmentation, called with a batch (float32, uint8 scaled to [0, 1]) and a
            `numpy.random.Generator` of its own; returns a batch.
        preprocess: a fitted `Standardize`, `MeanImage`, ...; applied after `transform`.
        indices: (m,), the examples to use, each in 0..n-1; `None`: all. Splits data, a
            memory-mapped file too, without a copy.

    Raises:
        ValueError: as `check_arrays`; or an argument is out of range.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), for Philox.

    Example:
        >>> batches = Batches(np.zeros((10, 3)), np.arange(10) % 2, batch_size=4)
        >>> len(batches)
        3
        >>> [x.shape for x, y in batches.epoch(0)]
        [(4, 3), (4, 3), (2, 3)]
        >>> [len(y) for x, y in batches.epoch(0, start=2)]
        [2]
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        transform: Augment | None = None,
        preprocess: Preprocess | None = None,
        indices: npt.NDArray[np.int64] | None = None,
    ) -> None:
        check_arrays(x, y)
        indices = np.arange(len(x)) if indices is None else np.asarray(indices)
        if indices.ndim != 1 or not len(indices):
            raise ValueError(f"indices has shape {indices.shape}, expected (m,) with m above 0")
        if indices.dtype.kind not in "iu":  # a mask or a fraction is no number of an example
            raise ValueError(f"indices has dtype {indices.dtype}, expected integers")
        indices = indices.astype(np.int64, copy=False)
        if indices.min() < 0 or indices.max() >= len(x):
            raise ValueError(
                f"indices go from {indices.min()} to {indices.max()}, expected 0..{len(x) - 1}"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected 1 or more")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}, expected 0 to 2**64 - 1")
        if drop_last and len(indices) < batch_size:
            raise ValueError(
                f"drop_last leaves no batch: batch_size is {batch_size}, "
                f"expected at most the {len(indices)} examples"
            )
        self.x, self.y = x, y
        self.indices = indices
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.transform = transform
        self.preprocess = preprocess

    def __len__(self) -> int:
        """How many batches an epoch has."""
        whole, rest = divmod(len(self.indices), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the order of the examples in an epoch: (n,), a permutation of `indices`."""
        if not self.shuffle:
            return self.indices
        # Sorting raw bits, and not Generator.permutation, whose stream NumPy may change (NEP 19).
        keys = self._generator(epoch, 0, _SHUFFLE).random_raw(len(self.indices))
        return self.indices[np.argsort(keys, kind="stable")]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """Yield the batches of one epoch, from batch number `start` on.

        Args:
            epoch: the number of the epoch, 0 or more.
            start: how many batches to leave out, 0 to len(self).

        Yields:
            x: (batch, ...) float32, C-contiguous; uint8 examples scaled to [0, 1].
            y: (batch, ...) int64 class numbers, or float32 targets.

        Raises:
            ValueError: `epoch` or `start` is out of range; or the examples of a memory-mapped
                file hold NaN or infinity.
        """
        if epoch < 0 or not 0 <= start <= len(self):
            raise ValueError(
                f"epoch {epoch}, start {start}: expected 0 or more, and 0..{len(self)}"
            )
        return self._draw(epoch, start)

    def _draw(self, epoch: int, start: int) -> Iterator[tuple[Array, Array]]:
        order = self.order(epoch)
        for number in range(start, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self._examples(chosen, epoch, number), self._targets(chosen)

    def _examples(self, chosen: npt.NDArray[np.int64], epoch: int, number: int) -> Array:
        x = gather(self.x, chosen)
        if is_mapped(self.x):
            check_finite("x", x, f"batch {number} of epoch {epoch}: ")
        x = as_float(x).astype(np.float32, copy=False)
        if self.transform is not None:
            x = self.transform(x, np.random.Generator(self._generator(epoch, number, _AUGMENT)))
            if len(x) != len(chosen):
                raise ValueError(
                    f"transform {self.transform!r} returned {len(x)} examples, "
                    f"expected {len(chosen)}"
                )
        if self.preprocess is not None:
            x = self.preprocess.transform(x)
        return np.ascontiguousarray(x, dtype=np.float32)

    def _targets(self, chosen: npt.NDArray[np.int64]) -> Array:
        y = gather(self.y, chosen)
        return y.astype(np.float32 if y.dtype.kind == "f" else np.int64, copy=False)

    def _generator(self, epoch: int, number: int, purpose: int) -> np.random.Philox:
        # The lowest word counts the draws; the others keep every use on a stream of its own.
        return np.random.Philox(key=self.seed, counter=[0, number, epoch, purpose])
