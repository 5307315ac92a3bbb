"""Clipping of arrays in place; the values are compared with PyTorch's in tests/parity."""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

utils = nn.utils


def test_dicts_lists_and_arrays():
    for make in (lambda array: array, lambda array: [array], lambda array: {"weight": array},
                 lambda array: (each for each in (array, None))):
        array = np.array([3.0, -4.0], np.float32)
        assert utils.clip_grad_norm_({"w": array}, 10.0) == 5.0
        utils.clip_grad_value_(make(array), 3.5)
        assert array.tolist() == [3.0, -3.5]
    assert utils.get_total_norm([]) == 0.0 == utils.clip_grad_norm_({}, 1.0)


def test_a_generator_of_gradients_is_clipped():
    array = np.array([3.0, -4.0], np.float32)
    assert utils.clip_grad_norm_((each for each in [array]), 1.0) == 5.0
    np.testing.assert_allclose(array, [0.6, -0.8], rtol=1e-5)


def test_large_and_transposed_arrays_have_a_norm():
    array = np.full((3, 4), 1e30, np.float32).T
    assert utils.get_total_norm(array) == pytest.approx(1e30 * math.sqrt(12), rel=1e-6)
    utils.clip_grad_norm_(array, 1.0)
    np.testing.assert_allclose(array, 1 / math.sqrt(12), rtol=1e-5)


def test_a_norm_that_is_not_finite():
    array = np.array([np.inf, 1.0], np.float32)
    assert utils.get_total_norm(array) == math.inf
    with pytest.raises(RuntimeError, match="is inf, so that they cannot be clipped"):
        utils.clip_grad_norm_(array, 1.0, error_if_nonfinite=True)
    assert array[1] == 1.0


def test_parameters_hold_no_gradients():
    model = nn.Linear(2, 2)
    for call in (lambda: utils.clip_grad_norm_(model.parameters(), 1.0),
                 lambda: utils.clip_grad_norm_(model.weight, 1.0)):
        with pytest.raises(TypeError, match=r"write TrainStep\(.*clip_grad_norm=1\.0.*step\(grads"):
            call()
    with pytest.raises(TypeError, match=r"clip_grad_value=0\.5"):
        utils.clip_grad_value_(model.parameters(), 0.5)
    with pytest.raises(AttributeError, match="write clip_grad_norm_"):
        _ = utils.clip_grad_norm


def test_what_cannot_be_clipped():
    fixed = np.ones(2, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        utils.clip_grad_norm_(fixed, 1.0)
    with pytest.raises(TypeError, match="arrays of floats"):
        utils.clip_grad_norm_([np.ones(2, int)], 1.0)
    with pytest.raises(TypeError, match="expected gradients, got float"):
        utils.clip_grad_value_(1.0, 1.0)
    for wrong in (-1.0, math.nan):
        with pytest.raises(ValueError, match="max_norm must be a number from 0 on"):
            utils.clip_grad_norm_(np.ones(2), wrong)


def test_gradients_of_a_loop_of_ones_own():
    model = nn.Linear(3, 2)
    optimizer = fn.optim.SGD(model.parameters(), lr=1.0)
    x = np.ones((4, 3), np.float32)
    _, grads = fn.value_and_grad(model, nn.MSELoss())(x, np.full((4, 2), 9.0, np.float32))
    before = model.weight.data.copy()
    assert utils.clip_grad_norm_(grads, 0.1) > 0.1
    assert utils.get_total_norm(grads.values()) == pytest.approx(0.1, rel=1e-4)
    optimizer.step(grads)
    np.testing.assert_array_equal(model.weight.data, before - grads["weight"])
