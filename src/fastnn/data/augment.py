"""Random changes to a batch of images, drawn from a generator that the caller passes.

Each can change a batch in place, image by image, so that augmentation takes no memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arguments import array_of, integer, real
from fastnn.data.arrays import Array


class Augmentation:
    """A random change: called with (x, generator) it returns a changed copy of x (n, ...)."""

    in_place = True  # whether `change` can be used

    def change(self, x: Array, generator: np.random.Generator) -> None:
        """Change `x` (n, ...) in place."""
        raise NotImplementedError

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return a changed copy of `x` (n, ...)."""
        changed = np.array(array_of(x, "x"), order="C")
        self.change(changed, generator)
        return changed


class RandomShift(Augmentation):
    """Move each image by up to `pixels` in each direction, filling with zeros.

    out[n, c, i, j] = x[n, c, i + a_n, j + b_n], or 0 outside the image, with a_n and b_n uniform
    in -pixels..pixels.

    Args:
        pixels: the largest shift, 0 or more.

    Raises:
        ValueError: `pixels` is negative; on a call, the batch is not of rank 4.

    Source: the padded random crop of Lee et al., "Deeply-supervised nets" (2015), as He et al.
    (2016) use it on CIFAR-10.

    Example:
        >>> x = np.ones((1, 1, 2, 2), np.float32)
        >>> RandomShift(1)(x, np.random.default_rng(5))
        array([[[[1., 0.],
                 [0., 0.]]]], dtype=float32)
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = integer(pixels, "pixels", "an integer from 0 on", 0)

    def change(self, x: Array, generator: np.random.Generator) -> None:
        """Shift the images `x` (n, channels, height, width) in place."""
        _check_images(x)
        moves = generator.integers(0, 2 * self.pixels + 1, (2, len(x))) - self.pixels
        for image, down, right in zip(x, *moves.tolist(), strict=True):
            rows, from_rows = _overlap(down, x.shape[2])
            columns, from_columns = _overlap(right, x.shape[3])
            kept = image[:, from_rows, from_columns].copy()
            image[...] = 0
            image[:, rows, columns] = kept

    def __repr__(self) -> str:
        return f"RandomShift({self.pixels})"


class RandomHorizontalFlip(Augmentation):
    """Mirror each image left to right with probability `p`.

    Args:
        p: 0 to 1.

    Raises:
        ValueError: `p` is out of range; on a call, the batch is not of rank 4.

    Example:
        >>> x = np.array([[[[1.0, 2.0]]]])
        >>> RandomHorizontalFlip(p=1)(x, np.random.default_rng(0))
        array([[[[2., 1.]]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = real(p, "p", "a number from 0 to 1", 0, 1)

    def change(self, x: Array, generator: np.random.Generator) -> None:
        """Mirror some of the images `x` (n, channels, height, width) in place."""
        _check_images(x)
        for i in np.flatnonzero(generator.random(len(x)) < self.p):
            x[i] = x[i, :, :, ::-1].copy()

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


class Compose(Augmentation):
    """Apply several augmentations one after the other, with one generator.

    Args:
        *transforms: functions of (batch, generator) that return a batch.

    Example:
        >>> augment = Compose(RandomShift(2), RandomHorizontalFlip())
        >>> augment(np.zeros((3, 1, 8, 8)), np.random.default_rng(0)).shape
        (3, 1, 8, 8)
        >>> augment
        Compose(RandomShift(2), RandomHorizontalFlip(p=0.5))
    """

    def __init__(self, *transforms: Callable[[Array, np.random.Generator], Array]) -> None:
        self.transforms: tuple[Callable[[Array, np.random.Generator], Array], ...] = tuple(
            check_transform(one, f"transform {number}") for number, one in enumerate(transforms))

    @property
    def in_place(self) -> bool:  # type: ignore[override]
        """Whether all transforms can change a batch in place."""
        return all(is_in_place(transform) for transform in self.transforms)

    def change(self, x: Array, generator: np.random.Generator) -> None:
        """Apply every transform in turn to `x` (n, ...), in place."""
        for transform in self.transforms:
            transform.change(x, generator)  # type: ignore[attr-defined]

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return `x` (n, ...) after every transform in turn."""
        for transform in self.transforms:
            x = transform(x, generator)
        return x

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.transforms))})"


def check_transform(transform: Any, name: str) -> Any:
    """A transform, if it can be called with a batch; the TypeError says how to write one."""
    if isinstance(transform, type):
        raise TypeError(f"{name} is the class {transform.__name__}, expected an instance: "
                        f"{transform.__name__}(...)")
    if not callable(transform):
        raise TypeError(f"{name} must be a function of (x, generator), or a Compose of several, "
                        f"got {transform!r:.60}")
    return transform


def is_in_place(transform: Any) -> bool:
    """Whether a transform has a method `change`, which takes no memory of its own.

    >>> is_in_place(Compose(RandomShift(2))), is_in_place(Compose(lambda x, generator: x + 1))
    (True, False)
    """
    return bool(getattr(transform, "in_place", False))


def _overlap(move: int, size: int) -> tuple[slice, slice]:
    """The places of an axis that out[i] = x[i + move] fills, and their sources."""
    kept = max(0, size - abs(move))
    start = max(0, -move)
    return slice(start, start + kept), slice(start + move, start + move + kept)


def _check_images(x: Array) -> None:
    if x.ndim != 4:
        raise ValueError(f"x has shape {x.shape}, expected (n, channels, height, width)")
