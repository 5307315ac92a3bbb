"""Random changes to a batch of images, drawn from a generator that the caller passes."""

from collections.abc import Callable

import numpy as np

from fastnn.data.arrays import Array


class RandomShift:
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
        if pixels < 0:
            raise ValueError(f"pixels is {pixels}, expected 0 or more")
        self.pixels = pixels

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return a shifted copy of `x` (n, channels, height, width)."""
        _check_images(x)
        images, _, height, width = x.shape
        edge = (self.pixels, self.pixels)
        padded = np.pad(x, ((0, 0), (0, 0), edge, edge))
        rows, columns = generator.integers(0, 2 * self.pixels + 1, (2, images))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        shifted: Array = windows[np.arange(images), :, rows, columns]
        return shifted

    def __repr__(self) -> str:
        return f"RandomShift({self.pixels})"


class RandomHorizontalFlip:
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
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p}, expected 0 to 1")
        self.p = p

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return a copy of `x` (n, channels, height, width) with some images mirrored."""
        _check_images(x)
        chosen = generator.random(len(x)) < self.p
        flipped = x.copy()
        flipped[chosen] = x[chosen, :, :, ::-1]
        return flipped

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


class Compose:
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
        self.transforms = transforms

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return `x` (n, ...) after every transform in turn."""
        for transform in self.transforms:
            x = transform(x, generator)
        return x

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.transforms))})"


def _check_images(x: Array) -> None:
    if x.ndim != 4:
        raise ValueError(f"x has shape {x.shape}, expected (n, channels, height, width)")
