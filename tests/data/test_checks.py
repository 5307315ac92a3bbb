"""Every kind of bad input is named."""

import numpy as np
import pytest

from fastnn.data import check_arrays

X = np.zeros((4, 3), np.float32)
Y = np.array([0, 1, 2, 1])
BAD_X = X.copy()
BAD_X[2, 1] = np.inf


@pytest.mark.parametrize(
    ("x", "y", "classes", "message"),
    [
        ([[1.0]], Y, None, "x is list"),
        (X.astype(str), Y, None, "x has dtype <U"),
        (X.astype(complex), Y, None, "x has dtype complex"),
        (X.astype(object), Y, None, "x has dtype object"),
        (X[:, 0], Y, None, r"x has shape \(4,\)"),
        (X, Y[:3], None, "number of examples"),
        (X, np.array(1), None, "number of examples"),
        (X[:0], Y[:0], None, "at least one example"),
        (X[:, :0], Y, None, "at least one example"),
        (BAD_X, Y, None, r"x holds NaN.*example 2"),
        (X + np.float64(1e300), Y, None, "too large for float32"),
        (X, np.array([0, 1, np.nan, 0]), None, r"y holds NaN.*example 2"),
        (X, Y.astype(float), 3, "expected class numbers"),
        (X, Y[:, None], None, r"y has shape \(4, 1\), expected one class number"),
        (X, Y - 1, None, r"y holds class -1 \(example 0\), expected 0 or more"),
        (X, Y, 2, r"y holds class 2 \(example 2\), expected 0\.\.1"),
    ],
)
def test_bad_arrays_are_refused(x, y, classes, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_arrays(x, y, classes, source="file.npz")
    assert str(caught.value).startswith("file.npz: ")


@pytest.mark.parametrize(
    ("x", "y", "classes"),
    [
        (X, Y, 3),
        (X.astype(">f8"), Y.astype(">i2"), 3),
        (X.astype(np.uint8), Y.astype(np.uint8), None),
        (X, np.zeros((4, 7)), None),
        (np.zeros((4, 1, 5, 6)), np.zeros((4, 5, 6), int), 1),
        (np.asfortranarray(X)[::-1], Y[::-1], 3),
    ],
)
def test_good_arrays_pass(x, y, classes):
    x.flags.writeable = False
    check_arrays(x, y, classes)
