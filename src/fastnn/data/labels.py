"""Labels that are words or any other names, as class numbers and back."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fastnn.arguments import array_of
from fastnn.data.arrays import Array

SHOWN = 5  # classes in an error


class LabelEncoder:
    """Class numbers of labels: the place of each among all labels in sorted order.

    Labels are texts, or numbers without NaN. The names are scikit-learn's.

    Attributes:
        classes_: (classes,) the labels, sorted; known after `fit`.

    Raises:
        ValueError: labels of another rank than 1, none, NaN; a label that was not fitted; `fit` was
            not called.
        TypeError: labels of several kinds, or of one that has no order.

    Example:
        >>> encoder = LabelEncoder().fit(["dog", "cat", "dog"])
        >>> encoder.classes_.tolist(), encoder.transform(["cat", "dog"]).tolist()
        (['cat', 'dog'], [0, 1])
        >>> encoder.inverse_transform([1, 1]).tolist()
        ['dog', 'dog']
        >>> encoder.transform(["cat", "cow"])
        Traceback (most recent call last):
            ...
        ValueError: y has the label 'cow' (example 1), expected one of 'cat', 'dog'
    """

    classes_: Array

    def fit(self, y: Any) -> Self:
        """Learn the labels `y` (n,)."""
        self.classes_ = np.unique(_labels(y))
        return self

    def transform(self, y: Any) -> npt.NDArray[np.int64]:
        """Return the class numbers of the labels `y` (n,): (n,) int64."""
        classes, labels = self._fitted(), _labels(y)
        if (labels.dtype.kind == "U") != (classes.dtype.kind == "U"):
            raise TypeError(f"y has labels of dtype {labels.dtype}, expected those of "
                            f"{_some(classes)}")
        numbers = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        unknown = np.flatnonzero(classes[numbers] != labels)
        if len(unknown):
            raise ValueError(f"y has the label {labels[unknown[0]].item()!r} (example "
                             f"{unknown[0]}), expected one of {_some(classes)}")
        return numbers.astype(np.int64, copy=False)

    def fit_transform(self, y: Any) -> npt.NDArray[np.int64]:
        """Learn the labels `y` (n,) and return their class numbers."""
        return self.fit(y).transform(y)

    def inverse_transform(self, y: Any) -> Array:
        """Return the labels of class numbers `y` (n,)."""
        classes, numbers = self._fitted(), array_of(y, "y")
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            raise ValueError(f"y is {numbers.dtype} of shape {numbers.shape}, expected class "
                             "numbers (n,)")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(classes):
            raise ValueError(f"y has class numbers from {numbers.min()} to {numbers.max()}, "
                             f"expected 0..{len(classes) - 1}")
        labels: Array = classes[numbers]
        return labels

    def _fitted(self) -> Array:
        if not hasattr(self, "classes_"):
            raise ValueError("LabelEncoder: call fit before transform")
        return self.classes_

    def __repr__(self) -> str:
        return "LabelEncoder()"


def are_texts(y: Any) -> bool:
    """Whether an array, a list or a column holds texts.

    >>> are_texts(["a", "b"]), are_texts(np.array([b"a"])), are_texts([0, 1])
    (True, True, False)
    """
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__") or not len(y):
        return False
    if isinstance(y, list):
        return isinstance(y[0], (str, bytes))
    array = np.asarray(y) if hasattr(y, "__array__") else np.empty(0)
    return array.dtype.kind in "USTO" and array.size > 0 and (
        isinstance(array.flat[0], (str, bytes)))


def _labels(y: Any) -> Array:
    """Labels as an array of texts or of numbers, checked."""
    array = array_of(y, "y")
    if array.ndim != 1 or not len(array):
        hint = "; write y.ravel()" if array.ndim == 2 and array.shape[1] == 1 else ""
        raise ValueError(f"y has shape {array.shape}, expected labels (n,){hint}")
    if array.dtype.kind == "O":
        array = _of_objects(array)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "T":
        array = array.astype(np.str_)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"y has no label, NaN, at example {np.isnan(array).argmax()}")
    if array.dtype.kind not in "biufU":
        raise TypeError(f"y has dtype {array.dtype}, expected texts or numbers as labels")
    return array


def _of_objects(array: Array) -> Array:
    """An array of Python's objects as one of texts or numbers."""
    kinds: dict[type, int] = {}
    for example, label in enumerate(array):
        kinds.setdefault(type(label), example)
    kind = next(iter(kinds))
    if len(kinds) > 1 or not issubclass(kind, (str, bytes, int, float, np.generic)):
        found = ", ".join(f"{one.__name__} (example {example})" for one, example in kinds.items())
        raise TypeError(f"y has labels of {found}, expected texts or numbers, of one kind")
    return np.array(array.tolist())


def _some(classes: Array) -> str:
    words = [repr(label) for label in classes[:SHOWN].tolist()]
    return ", ".join([*words, f"... ({len(classes)} in all)"] if len(classes) > SHOWN else words)
