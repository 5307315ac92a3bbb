"""Data sets: arrays for training and testing, and the classes' names."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastnn.data.arrays import Array, pieces
from fastnn.data.checks import check_arrays

Split = tuple[Array, Array]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples and targets for training and, where there are some, for testing.

    Attributes:
        train: (x, y). Images are (n, channels, height, width), tables (n, features); uint8
            stays uint8 and a memory-mapped file stays on disk until `Batches` reads it.
        test: (x, y) in the same form, or `None`.
        classes: the classes' names, in the order of their numbers; empty for real targets.
        source: where the data came from, for people.
        skipped: files that could not be read and were left out.
        files: where each example lies, of pictures: (of train, of test); else empty.

    Example:
        >>> data = Dataset((np.zeros((8, 3), np.float32), np.arange(8) % 2), None, ("a", "b"), "")
        >>> data
        Dataset(train=(8, 3) float32, test=None, classes=2, source='')
    """

    train: Split
    test: Split | None
    classes: tuple[str, ...]
    source: str
    skipped: tuple[str, ...] = ()
    files: tuple[tuple[str, ...], ...] = ()

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example: (channels, height, width) or (features,)."""
        return self.train[0].shape[1:]

    def __repr__(self) -> str:
        splits = ", ".join(
            f"{name}={split[0].shape} {split[0].dtype}" if split else f"{name}=None"
            for name, split in (("train", self.train), ("test", self.test))
        )
        return f"Dataset({splits}, classes={len(self.classes)}, source={self.source!r})"


def make_dataset(
    train: Split,
    test: Split | None,
    source: str,
    classes: Sequence[str] | None = None,
    layout: str = "NCHW",
) -> Dataset:
    """Check the arrays of a file, and bring them into the form of `Dataset`.

    Args:
        train: (x, y); x is (n, features), (n, height, width) or images in `layout`.
        test: the same, or `None`.
        source: the file or folder, named in errors.
        classes: the classes' names; `None`: their numbers, 0 to the largest that occurs.
        layout: "NCHW" or "NHWC", how images of rank 4 are stored; neither needs a copy.

    Raises:
        ValueError: as `check_arrays`; or the test examples' shape differs from the training
            examples'; or `layout` is unknown.

    Example:
        >>> x, y = np.zeros((6, 28, 28), np.uint8), np.array([0, 1, 2, 0, 1, 2])
        >>> make_dataset((x, y), None, "example")
        Dataset(train=(6, 1, 28, 28) uint8, test=None, classes=3, source='example')
    """
    if layout not in ("NCHW", "NHWC"):
        raise ValueError(f"layout is {layout!r}, expected 'NCHW' or 'NHWC'")
    count = None if classes is None else len(classes)
    train = (_channels_first(train[0], layout), train[1])
    check_arrays(*train, classes=count, source=f"{source} (train)")
    if test is not None:
        test = (_channels_first(test[0], layout), test[1])
        check_arrays(*test, classes=count, source=f"{source} (test)")
        if test[0].shape[1:] != train[0].shape[1:]:
            raise ValueError(
                f"{source}: a test example has shape {test[0].shape[1:]}, "
                f"expected {train[0].shape[1:]} as in training"
            )
    if layout == "NCHW" and _looks_channels_last(train[0]):
        warnings.warn(
            f"{source}: images of shape {train[0].shape[1:]} look channels-last; "
            'if they are, load them with layout="NHWC"',
            stacklevel=3,
        )
    if classes is None:
        classes = _numbered_classes(train, test, source)
    return Dataset(train, test, tuple(classes), source)


def _channels_first(x: Array, layout: str) -> Array:
    if x.ndim == 3:
        return x[:, np.newaxis]
    return np.moveaxis(x, -1, 1) if layout == "NHWC" and x.ndim == 4 else x


def _looks_channels_last(x: Array) -> bool:
    return x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] > 4 and x.shape[1] == x.shape[2]


def _numbered_classes(train: Split, test: Split | None, source: str) -> tuple[str, ...]:
    """Name the classes "0", "1", ... up to the largest that occurs; none for real targets."""
    if train[1].dtype.kind == "f":
        return ()
    targets = [split[1] for split in (train, test) if split is not None]
    largest = max(int(piece.max()) for y in targets for piece in pieces(y))
    if largest < 0:
        raise ValueError(f"{source}: no target counts, all are {largest}, expected class numbers")
    if largest >= max(10_000, train[1].size):
        raise ValueError(
            f"{source}: y holds class {largest} for {train[1].size} targets, "
            "expected class numbers 0..classes-1"
        )
    return tuple(str(number) for number in range(largest + 1))
