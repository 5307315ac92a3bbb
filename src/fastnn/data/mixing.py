"""Batches whose examples are mixed with each other, and their labels likewise."""


import numpy as np

from fastnn.arguments import array_of, integer, real
from fastnn.data.arrays import Array


class Mixing:
    """Base of mixing: called with (x, y, generator) it returns (mixed x, soft y).

    Each example is mixed with the one before it, the first with the last: batches are in a random
    order already. One share is drawn for a batch.
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int) -> None:
        self.alpha = real(alpha, "alpha", "a number above 0", above=0)
        self.num_classes = integer(num_classes, "num_classes", "an integer from 1 on", 1)

    def __call__(
        self, x: Array, y: Array, generator: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return the batch mixed: x like `x`, and shares of classes (n, num_classes) float32.

        y: (n,) class numbers, or shares of classes (n, num_classes).
        """
        x = np.array(array_of(x, "x"), np.float32, order="C")
        y = self._shares(array_of(y, "y"), len(x))
        share = self._mix(x, np.roll(x, 1, axis=0), generator)
        return x, (share * y + (1 - share) * np.roll(y, 1, axis=0)).astype(np.float32)

    def _mix(self, x: Array, others: Array, generator: np.random.Generator) -> float:
        """Mix `x` with `others` in place, and return the share of `x` that is left."""
        raise NotImplementedError

    def _shares(self, y: Array, examples: int) -> Array:
        if y.dtype.kind in "biu" and y.shape == (examples,):
            if not 0 <= y.min() <= y.max() < self.num_classes:
                raise ValueError(f"{self!r}: y has class numbers from {y.min()} to {y.max()}, "
                                 f"expected 0..{self.num_classes - 1}")
            return np.eye(self.num_classes, dtype=np.float64)[y.astype(np.int64)]
        if y.dtype.kind == "f" and y.shape == (examples, self.num_classes):
            return y.astype(np.float64)
        raise ValueError(f"{self!r}: y is {y.dtype} of shape {y.shape}, expected class numbers "
                         f"({examples},) or shares ({examples}, {self.num_classes})")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


class MixUp(Mixing):
    """Mix each example with another: share * x + (1 - share) * other, labels likewise.

    The share is drawn from Beta(alpha, alpha). Names and meaning are torchvision.transforms.v2's.
    For `CrossEntropyLoss`, which takes the shares of classes as probabilities; accuracy is against
    the largest.

    Args:
        alpha: above 0; small values mix little.
        num_classes: how many classes there are.

    Source: Zhang et al., "mixup: beyond empirical risk minimization" (2018).

    Example:
        >>> mix = MixUp(alpha=0.2, num_classes=3)
        >>> x, y = mix(np.eye(4), np.array([0, 1, 2, 0]), np.random.default_rng(0))
        >>> x.shape, y.shape, y.sum(axis=1).tolist()
        ((4, 4), (4, 3), [1.0, 1.0, 1.0, 1.0])
    """

    def _mix(self, x: Array, others: Array, generator: np.random.Generator) -> float:
        share = float(generator.beta(self.alpha, self.alpha))
        x *= np.float32(share)
        others *= np.float32(1 - share)
        x += others
        return share


class CutMix(Mixing):
    """Put a rectangle of another image into each, and share labels by the areas.

    The rectangle, the same in all images of a batch, has the share 1 - s of the area, s drawn from
    Beta(alpha, alpha), around a place drawn uniformly; what lies outside of the image is cut off.
    Names and meaning are torchvision.transforms.v2's; for the rest see `MixUp`.

    Args:
        alpha: above 0.
        num_classes: how many classes there are.

    Raises:
        ValueError: on a call, the batch is not of rank 4.

    Source: Yun et al., "CutMix: regularization strategy to train strong classifiers with
    localizable features" (2019).

    Example:
        >>> mix = CutMix(num_classes=2)
        >>> x, y = mix(np.zeros((4, 1, 8, 8)), np.array([0, 1, 1, 0]), np.random.default_rng(0))
        >>> x.shape, y.shape
        ((4, 1, 8, 8), (4, 2))
    """

    def _mix(self, x: Array, others: Array, generator: np.random.Generator) -> float:
        if x.ndim != 4:
            raise ValueError(f"x has shape {x.shape}, expected (n, channels, height, width)")
        half = 0.5 * np.sqrt(1 - generator.beta(self.alpha, self.alpha))
        cut, left = [], 1.0
        for size in x.shape[2:]:
            middle, reach = int(generator.integers(size)), int(half * size)
            cut.append(slice(max(middle - reach, 0), min(middle + reach, size)))
            left *= (cut[-1].stop - cut[-1].start) / size
        x[:, :, cut[0], cut[1]] = others[:, :, cut[0], cut[1]]
        return 1 - left
