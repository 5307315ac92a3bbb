"""Check examples and targets before anything is trained on them."""

import numpy as np

from fastnn.advice import dtype_hint
from fastnn.arguments import integer
from fastnn.data.arrays import Array, is_mapped, pieces
from fastnn.spec import IGNORED


def check_arrays(
    x: Array, y: Array, classes: int | None = None, source: str = "", ignore_index: int = IGNORED
) -> None:
    """Check that examples `x` and targets `y` can be trained on.

    Memory-mapped floating-point examples are not read here: `Batches` checks them batch by
    batch.

    Args:
        x: (n, features), (n, channels, height, width) or any other rank of at least 2; integer,
            boolean or floating point, finite.
        y: (n,) class numbers, or one class number per position, (n, *x.shape[2:]); or floating
            point targets, (n, ...), finite.
        classes: how many classes there are; `None`: class numbers have no upper limit.
        source: the file or folder that the arrays come from, named in errors.
        ignore_index: the number of targets that do not count, which is no class.

    Raises:
        ValueError: an array is of the wrong type, rank or length, is empty, or holds NaN or
            infinity, or a class number lies outside 0..classes-1.

    Example:
        >>> check_arrays(np.zeros((4, 3)), np.array([0, 1, 2, 1]), classes=3)
        >>> check_arrays(np.zeros((4, 3)), np.array([0, 1, 2, 1]), classes=2)
        Traceback (most recent call last):
            ...
        ValueError: y holds class 2 (example 2), expected 0..1, or ignore_index=-100
    """
    where = f"{source}: " if source else ""
    if classes is not None:
        classes = integer(classes, "classes", "an integer from 1 on", 1)
    for name, array in (("x", x), ("y", y)):
        _check_real(name, array, where)
    _check_examples(x, y, where)
    if not is_mapped(x):
        check_finite("x", x, where)
    if y.dtype.kind == "f":
        if classes is not None:
            raise ValueError(f"{where}y has dtype {y.dtype}, expected class numbers (integers)")
        check_finite("y", y, where)
        return
    _check_one_for_each(x, y, where)
    _check_class_numbers(y, classes, where, ignore_index)


def _check_real(name: str, array: Array, where: str) -> None:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{where}{name} is {type(array).__name__}, expected a NumPy array")
    if array.dtype.kind not in "buif":
        raise ValueError(f"{where}{name} has dtype {array.dtype}, expected real numbers"
                         f"{dtype_hint(array)}")


def _check_examples(x: Array, y: Array, where: str) -> None:
    """Check that there are examples, and as many of x as of y."""
    if x.ndim < 2:
        raise ValueError(
            f"{where}x has shape {x.shape}, expected (n, features) or (n, channels, height, width)"
        )
    if y.ndim < 1 or len(x) != len(y):
        raise ValueError(f"{where}x {x.shape} and y {y.shape} differ in their number of examples")
    if 0 in x.shape or 0 in y.shape:
        raise ValueError(f"{where}x {x.shape} and y {y.shape}: expected at least one example")


def _check_one_for_each(x: Array, y: Array, where: str) -> None:
    """Check that y has one class number for each example, or one for each position."""
    if y.shape != x.shape[:1] and y.shape != x.shape[:1] + x.shape[2:]:
        hint = ""
        if y.ndim == 2:
            hint = ("; write y.ravel()" if y.shape[1] == 1 else
                    "; of one-hot rows: y.argmax(1); of real targets: y.astype(np.float32)")
        raise ValueError(
            f"{where}y has shape {y.shape}, expected one class number per example, "
            f"({len(x)},){hint}"
        )


def check_finite(name: str, array: Array, where: str = "") -> None:
    """Raise ValueError if `array` (n, ...) holds a value that float32 cannot: NaN or too large.

    Example:
        >>> check_finite("x", np.array([[1.0], [np.nan]]))
        Traceback (most recent call last):
            ...
        ValueError: x holds NaN, infinity or a value too large for float32 (example 1)
    """
    if array.dtype.kind != "f":
        return
    first = 0
    for piece in pieces(array):
        with np.errstate(over="ignore"):
            finite = np.isfinite(piece.astype(np.float32, copy=False))
        if not finite.all():
            example = first + int(np.argwhere(~finite)[0, 0])
            raise ValueError(
                f"{where}{name} holds NaN, infinity or a value too large for float32 "
                f"(example {example})"
            )
        first += len(piece)


def _check_class_numbers(y: Array, classes: int | None, where: str, ignore_index: int) -> None:
    expected = "0 or more" if classes is None else f"0..{classes - 1}"
    first = 0
    for piece in pieces(y):
        wrong = piece < 0
        if classes is not None:
            wrong = wrong | (piece >= classes)
        wrong &= piece != ignore_index
        if wrong.any():
            position = np.argwhere(wrong)[0]
            raise ValueError(
                f"{where}y holds class {piece[tuple(position)]} "
                f"(example {first + int(position[0])}), expected {expected}, "
                f"or ignore_index={ignore_index}"
            )
        first += len(piece)
