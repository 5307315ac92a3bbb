"""Batches of any iterable, for epochs that end with it or after a number of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any, Protocol

import numpy as np

from fastnn.engine.nesting import flat, tuple_like
from fastnn.foreign import as_array
from fastnn.spec import ShapeError
from fastnn.training.example_weights import sample_weights

Batch = tuple[Any, ...]  # (x, y), or (x, y, the examples' weights)


class Source(Protocol):
    """What training draws from."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        ...

    def __len__(self) -> int:
        """Batches in an epoch; 0 if that is not known."""
        ...


class Stream:
    """Batches of an iterable, or of what a function makes for each epoch.

    An epoch goes through it once. One that begins where the last one stopped goes on with the same
    iterator, and nothing is drawn anew. An iterator, which gives its batches only once, goes on
    wherever it is.
    """

    def __init__(self, data: Iterable[Any] | Callable[[], Iterable[Any]]) -> None:
        self.data = data
        self.ahead = 0  # how many batches a thread draws while one is in use
        self._iterator: Iterator[Any] | None = None
        self._place = 0, 0  # of its next batch: epoch and number
        self._length = 0
        self._first: list[np.ndarray] = []  # without memory: shapes and types of the first batch

    @property
    def is_once(self) -> bool:
        """Whether it is an iterator."""
        return isinstance(self.data, Iterator)

    def __len__(self) -> int:
        try:
            return self._length or len(self.data)  # type: ignore[arg-type]
        except TypeError:  # which __len__ raises, too: PyTorch's loader of an iterable
            return 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches from number `start` on; ValueError if there are none at all."""
        if self._iterator is None or (self._place != (epoch, start) and not self.is_once):
            self._iterator = _begun(self.data)
            skipped = sum(map(_one, islice(self._iterator, start)))
            if 0 < skipped < start:
                self._length = skipped
        self._place = epoch, start
        numbers = count(start)
        # No variable keeps a batch here while the next one is drawn.
        yield from map(self._read, self._iterator, numbers)
        end = next(numbers)
        if end == start == 0:
            raise ValueError(f"epoch {epoch + 1} has no batches; an iterator gives its batches "
                             "only once: pass a list, an object that can be iterated again, or a "
                             "function that makes an iterator")
        if end > start:
            self._length = end
        self._place = epoch + 1, 0
        if not self.is_once:
            self._iterator = None

    def _read(self, batch: Any, number: int) -> Batch:
        """A batch as arrays, if it is like the first one."""
        self._place = self._place[0], number + 1
        parts = _parts(batch, f"batch {number + 1}")
        arrays = flat(parts)
        if not self._first:
            self._first = [np.broadcast_to(np.empty((), array.dtype), array.shape)
                           for array in arrays]
        names = [word for part, name in zip(parts, ("x", "y", "the weights"), strict=False)
                 for word in _names(part, name)]
        if len(arrays) != len(self._first):
            raise ShapeError(f"batch {number + 1} has {len(arrays)} arrays, the first batch had "
                             f"{len(self._first)}")
        for name, array, first in zip(names, arrays, self._first, strict=True):
            if _kind(array) != _kind(first):
                raise ShapeError(
                    f"batch {number + 1}: {name} is {array.dtype} of shape {array.shape}, in the "
                    f"first batch it was {first.dtype} of shape {first.shape}; batches may differ "
                    "in examples and sizes, not in rank, channels or kind of numbers")
        return parts


class Steps:
    """A number of batches as an epoch. The next epoch goes on where it ended, and where the source
    ends it begins again."""

    def __init__(self, source: Source, steps: int) -> None:
        self.source, self._steps = source, steps
        self._next = 0, 0, 0  # batches so far, the source's epoch, and the number in it

    @property
    def ahead(self) -> int:
        """How many batches a thread draws while one is in use."""
        return getattr(self.source, "ahead", 0)

    @property
    def working_bytes(self) -> int | None:
        """What drawing takes beside the batches, if it is known."""
        return getattr(self.source, "working_bytes", None)

    @property
    def specs(self) -> Any:
        """Shapes and types of batches, as far as they are known."""
        return getattr(self.source, "specs", ())

    def __len__(self) -> int:
        return self._steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        done, end = epoch * self._steps + start, (epoch + 1) * self._steps
        number, place = self._next[1:] if self._next[0] == done else self._where(done)
        while done < end:
            drawn = count()
            yield from map(_first_of, islice(self.source.epoch(number, place), end - done), drawn)
            more = next(drawn)
            done, place = done + more, place + more
            if done < end:  # the source has ended, perhaps before its place
                known = self._where(done)
                number, place = known if not more and known[0] > number else (number + 1, 0)
        self._next = done, number, place

    def _where(self, done: int) -> tuple[int, int]:
        """The source's epoch and the number in it of a batch, by the length of its epochs."""
        length = len(self.source)
        return divmod(done, length) if length else (0, done)


def _begun(data: Any) -> Iterator[Any]:
    made = data if isinstance(data, Iterable) else data()
    if not isinstance(made, Iterable):
        raise TypeError(f"the function that was given as data returned {type(made).__name__}, "
                        "expected an iterator of batches")
    return iter(made)


def _one(batch: Any) -> int:
    return 1


def _first_of(batch: Batch, number: int) -> Batch:
    return batch


def _parts(batch: Any, name: str) -> Batch:
    if isinstance(batch, dict):
        keys = ", ".join(map(repr, batch))
        raise ValueError(f"{name}: expected a pair (x, y), got a dict with keys {keys}; pass a "
                         'function that makes pairs: lambda: ((b["x"], b["y"]) for b in data)')
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise ValueError(f"{name}: expected a pair (x, y), or (x, y, weights), got "
                         f"{type(batch).__name__}")
    x, y, *weights = batch
    found = _arrays(x, f"{name}: x"), _arrays(y, f"{name}: y")
    examples = len(flat(found)[0])
    return (*found, *(sample_weights(_arrays(each, f"{name}: the weights"), examples,
                                     f"{name}: the weights") for each in weights))


def _arrays(value: Any, name: str) -> Any:
    """One array, or a tuple or dict of several.

    A list of tensors, as PyTorch's loaders make it, is a tuple.
    """
    if isinstance(value, dict):
        return {key: _arrays(inner, f"{name}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, list) and value and all(_is_foreign(part) for part in value):
        value = tuple(value)
    if not isinstance(value, tuple):
        return as_array(value, name)
    if not value:
        raise ValueError(f"{name} is an empty tuple, expected an array or a tuple of arrays")
    return tuple_like(value, [_arrays(inner, f"{name}[{i}]") for i, inner in enumerate(value)])


def _is_foreign(value: Any) -> bool:
    """Whether a value is an array of another library than NumPy."""
    return hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray)


def _names(value: Any, name: str) -> list[str]:
    if isinstance(value, tuple):
        return [word for i, inner in enumerate(value) for word in _names(inner, f"{name}[{i}]")]
    if isinstance(value, dict):
        return [word for key in sorted(value) for word in _names(value[key], f"{name}[{key!r}]")]
    return [name]


def _kind(array: np.ndarray) -> tuple[int, int, str]:
    """What all batches have in common: rank, the channels of images, and the kind of numbers."""
    kind = "i" if array.dtype.kind == "u" else array.dtype.kind
    return array.ndim, array.shape[1] if array.ndim == 4 else 0, kind
