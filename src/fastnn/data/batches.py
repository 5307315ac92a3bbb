"""Split data into batches, in an order that depends only on the seed and the epoch."""

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fastnn.arguments import array_of, flag, instance, integer
from fastnn.data.arrays import PIECE_VALUES, Array, as_float, gather, gather_bytes, is_mapped
from fastnn.data.augment import check_transform, is_in_place
from fastnn.data.checks import check_arrays, check_finite
from fastnn.data.mixing import Mixing
from fastnn.data.preprocess import InPlace
from fastnn.spec import IGNORED

Augment = Callable[[Array, np.random.Generator], Array]
Memory = tuple[Array, Array]  # of a batch: its examples and targets

_SHUFFLE, _AUGMENT, _MIX = 0, 1, 2


class Preprocess(Protocol):
    """The protocol of preprocessing for `Batches`: anything with `transform`."""

    def transform(self, x: Array) -> Array:
        """Return `x` (n, ...) transformed."""
        ...


class Batches:
    """Batches of examples and targets, repeatable from any point.

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
            `numpy.random.Generator` of its own; returns a batch. One with `in_place` true has a
            method `change(x, generator)` for that, as those of fastnn.
        preprocess: a fitted `Standardize`, `MeanImage`, ...; applied after `transform`.
        indices: (m,), the examples to use, each in 0..n-1; `None`: all. Splits data, a
            memory-mapped file too, without a copy.
        ignore_index: the class number of targets that do not count, as the loss has it.
        mix: a `MixUp` or `CutMix`, applied last; targets are shares of classes then.

    Raises:
        ValueError: as `check_arrays`; or an argument is out of range.
        TypeError: `transform` or `preprocess` is nothing of the kind.

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
        ignore_index: int = IGNORED,
        mix: Mixing | None = None,
    ) -> None:
        self.mix = mix if mix is None else instance(mix, "mix", Mixing)
        classes = mix.num_classes if mix is not None and y.dtype.kind in "biu" else None
        check_arrays(x, y, classes, ignore_index=ignore_index)
        indices = np.arange(len(x)) if indices is None else array_of(indices, "indices")
        if indices.ndim != 1 or not len(indices):
            raise ValueError(f"indices has shape {indices.shape}, expected (m,) with m above 0")
        if indices.dtype.kind not in "iu":  # neither a mask nor fractions
            raise ValueError(f"indices has dtype {indices.dtype}, expected integers")
        indices = indices.astype(np.int64, copy=False)
        if indices.min() < 0 or indices.max() >= len(x):
            raise ValueError(
                f"indices go from {indices.min()} to {indices.max()}, expected 0..{len(x) - 1}"
            )
        batch_size = integer(batch_size, "batch_size", "an integer from 1 on", 1)
        seed = integer(seed, "seed", "an integer from 0 to 2**64 - 1", 0, 2**64 - 1)
        shuffle, drop_last = flag(shuffle, "shuffle"), flag(drop_last, "drop_last")
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
        self.transform: Augment | None = \
            None if transform is None else check_transform(transform, "transform")
        self.preprocess: Preprocess | None = \
            None if preprocess is None else _check_preprocess(preprocess)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        whole, rest = divmod(len(self.indices), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    @property
    def sizes(self) -> list[int]:
        """The numbers of examples that batches have, the last smaller one at the end."""
        whole, rest = divmod(len(self.indices), self.batch_size)
        smaller = [rest] if rest and not self.drop_last else []
        return [self.batch_size] * bool(whole) + smaller

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the order of the examples in an epoch: (n,), a permutation of `indices`."""
        if not self.shuffle:
            return self.indices
        # Sort raw bits instead of Generator.permutation, whose stream NumPy may change (NEP 19).
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
        self._check_start(epoch, start)
        return self._draw(epoch, start, None)

    def epoch_in_place(
        self, epoch: int, start: int = 0, memories: Iterator[Memory] | None = None
    ) -> Iterator[tuple[Array, Array]]:
        """Yield the batches of `epoch`, each in the memory of the one before.

        So an epoch takes the memory of one batch and `bytes_in_place` beside it, if `is_in_place`.
        memories: where to draw batches instead, one after the other, each from `new_memory`.
        """
        self._check_start(epoch, start)
        return self._draw(epoch, start, memories or repeat(self.new_memory()))

    def new_memory(self, examples: int | None = None) -> Memory:
        """Return arrays that a batch of so many examples, by default the most, is drawn in."""
        if examples is None:
            examples = min(self.batch_size, len(self.indices))
        shape, dtype = self.target
        return (np.empty((examples, *self.x.shape[1:]), np.float32),
                np.empty((examples, *shape), dtype))

    @property
    def target(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of one target in a batch."""
        return self.y.shape[1:], np.dtype(np.float32 if self.y.dtype.kind == "f" else np.int64)

    @property
    def is_in_place(self) -> bool:
        """Whether augmentation and preprocessing change a batch in place.

        Those of fastnn do. Then the memory that drawing takes is known, and batches have the shape
        of the examples.
        """
        return self.mix is None and (self.transform is None or is_in_place(self.transform)) and (
            self.preprocess is None or isinstance(self.preprocess, InPlace)
        )

    @property
    def bytes_in_place(self) -> int:
        """Bytes that drawing takes beside the batch, if all changes are in place."""
        values = min(self.batch_size, len(self.indices)) * math.prod(self.x.shape[1:])
        checking = 5 * min(values, PIECE_VALUES) if is_mapped(self.x) else 0
        prepared = 0
        if isinstance(self.preprocess, InPlace):
            prepared = self.preprocess.working_bytes(values)
        return max(gather_bytes(self.x), gather_bytes(self.y), checking, prepared)

    def _check_start(self, epoch: int, start: int) -> None:
        epoch, start = integer(epoch, "epoch"), integer(start, "start")
        if epoch < 0 or not 0 <= start <= len(self):
            raise ValueError(
                f"epoch {epoch}, start {start}: expected 0 or more, and 0..{len(self)}"
            )

    def _draw(
        self, epoch: int, start: int, memories: Iterator[Memory] | None
    ) -> Iterator[tuple[Array, Array]]:
        order = self.order(epoch)
        for number in range(start, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            memory = self.new_memory(len(chosen)) if memories is None else next(memories)
            yield self._batch(chosen, epoch, number, memory)
            del memory  # free it before the next batch is drawn

    def _batch(
        self, chosen: npt.NDArray[np.int64], epoch: int, number: int, memory: Memory
    ) -> tuple[Array, Array]:
        x, y = (part[: len(chosen)] for part in memory)
        with np.errstate(over="ignore"):  # values too large for float32 are found below
            gather(self.x, chosen, x, as_float)
        if is_mapped(self.x):
            check_finite("x", x, f"batch {number} of epoch {epoch}: ")
        gather(self.y, chosen, y)
        generator = np.random.Generator(self._generator(epoch, number, _AUGMENT))
        if self.is_in_place:
            self._change(x, generator)
            return x, y
        x = self._changed(x, generator)
        if self.mix is None:
            return x, y
        return self.mix(x, y, np.random.Generator(self._generator(epoch, number, _MIX)))

    def _change(self, x: Array, generator: np.random.Generator) -> None:
        """Augment and preprocess a batch in place."""
        if self.transform is not None:
            self.transform.change(x, generator)  # type: ignore[attr-defined]
        if self.preprocess is not None:
            self.preprocess.change(x)  # type: ignore[attr-defined]

    def _changed(self, x: Array, generator: np.random.Generator) -> Array:
        """Return a batch augmented and preprocessed by code that may return any array."""
        if self.transform is not None:
            x = _same_count(self.transform(x, generator), x, f"transform {self.transform!r:.60}")
        if self.preprocess is not None:
            x = _same_count(self.preprocess.transform(x), x, f"preprocess {self.preprocess!r:.60}")
        return np.ascontiguousarray(x, dtype=np.float32)

    def _generator(self, epoch: int, number: int, purpose: int) -> np.random.Philox:
        # The lowest word counts the draws; the others give every use a stream of its own.
        return np.random.Philox(key=self.seed, counter=[0, number, epoch, purpose])


def _check_preprocess(preprocess: Any) -> Any:
    if isinstance(preprocess, type):
        raise TypeError(f"preprocess is the class {preprocess.__name__}, expected an instance, "
                        f"fitted: {preprocess.__name__}().fit(x)")
    if not callable(getattr(preprocess, "transform", None)):
        raise TypeError("preprocess must have a method transform(x), as a fitted "
                        f"fastnn.data.Standardize, got {preprocess!r:.60}")
    return preprocess


def _same_count(changed: Any, x: Array, name: str) -> Array:
    """What code of others made of a batch, as an array of numbers with as many examples."""
    array: Array = array_of(changed, f"what {name} returns")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} returned values of dtype {array.dtype}, expected real numbers")
    if not array.ndim or len(array) != len(x):
        count = f"{len(array)} examples" if array.ndim else "one number"
        raise ValueError(f"{name} returned {count}, expected {len(x)} examples")
    return array
