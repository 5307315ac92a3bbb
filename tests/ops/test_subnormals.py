"""Numbers below 2^-126 in size: what docs/numerics.md says of them, through models."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

LEAST = 2.0**-149


class Of(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Any) -> Any:
        return self.function(*x)


def values(function: Callable[..., Any], *x: Any) -> np.ndarray:
    # 33 copies: whole vectors and a tail
    arrays = [np.repeat(np.float32(part), 33) for part in x]
    result = Of(function)(*arrays).reshape(len(np.atleast_1d(x[0])), 33)
    assert all(row.tobytes() == row[:1].tobytes() * 33 for row in result)
    return result[:, 0]


def test_log_and_sqrt_read_them() -> None:
    x = np.array([1e-38, 1e-40, LEAST, 2.0**-126, 3.0], np.float32)
    np.testing.assert_allclose(values(fn.log, x), np.log(x.astype(np.float64)), rtol=2e-7)
    np.testing.assert_allclose(values(fn.sqrt, x), np.sqrt(x.astype(np.float64)), rtol=2e-7)
    assert np.isnan(values(fn.log, -x)).all() and np.isnan(values(fn.sqrt, -x)).all()


def test_zeros_are_zeros() -> None:
    zeros = np.array([0.0, -0.0], np.float32)
    assert (values(fn.log, zeros) == -np.inf).all()
    assert values(fn.sqrt, zeros).tobytes() == zeros.tobytes()


@pytest.mark.parametrize(("function", "x", "expected"), [
    (fn.exp, [-88.0, -87.0], [0.0, np.exp(-87.0)]),
    (lambda x: x * fn.abs(x), [1e-20, -1e-20], [0.0, -0.0]),
    (fn.reciprocal, [1e-39, -1e-39], [np.inf, -np.inf]),
    (lambda x: x * 1e9, [1e-39, 2e-38], [0.0, 2e-29]),
    (lambda x: fn.gt(x, 0.0), [1e-39, 1e-37], [0.0, 1.0]),
    (fn.sigmoid, [-88.0, -87.0], [0.0, np.exp(-87.0)]),
], ids=["exp", "product", "reciprocal", "read", "compared", "sigmoid"])
def test_elsewhere_they_count_as_zeros_of_their_sign(
    function: Callable[..., Any], x: list[float], expected: list[float]
) -> None:
    got = values(function, x)
    np.testing.assert_allclose(got, expected, rtol=3e-7, atol=0)
    assert (np.signbit(got) == np.signbit(expected)).all()


def test_logarithms_of_shares() -> None:
    x = np.array([[0, -88], [0, -1e4], [50, -70]], np.float32)
    np.testing.assert_array_equal(Of(lambda x: fn.log(fn.softmax(x, 1)))(x)[:, 1], -np.inf)
    np.testing.assert_allclose(Of(lambda x: fn.log_softmax(x, 1))(x)[:, 1], [-88, -1e4, -120])
    np.testing.assert_allclose(values(lambda x: -fn.softplus(-x), [-88.0, -1e4]), [-88, -1e4])


def test_the_callers_arithmetic_keeps_them() -> None:
    values(fn.exp, [-88.0])
    assert np.float32(1e-30) * np.float32(1e-10) > 0


def test_docstrings_say_it() -> None:
    assert "count as 0" in fn.exp.__doc__ and "log_softmax" in fn.log.__doc__
