"""The layer GroupNorm: arguments, initial values, and shapes that do not fit."""

import numpy as np
import pytest

from fastnn import nn


def test_initial_values_and_state():
    layer = nn.GroupNorm(2, 6)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert (layer.weight.data == 1).all() and (layer.bias.data == 0).all()
    assert layer.eps == 1e-5 and not list(nn.GroupNorm(2, 6, affine=False).parameters())
    assert repr(layer) == "GroupNorm(2, 6, eps=1e-05, affine=True, bias=True)"
    y = layer(np.random.default_rng(0).normal(3, 5, (4, 6, 8, 8)).astype(np.float32))
    groups = y.reshape(4, 2, -1)
    assert np.abs(groups.mean(2)).max() < 1e-6 and np.abs(groups.std(2) - 1).max() < 1e-5


@pytest.mark.parametrize(("arguments", "shape", "message"), [
    ((4, 6), (2, 6, 3, 3), "num_groups 4 does not divide num_channels 6"),
    ((2, 6), (2, 5, 3, 3), "5 channels, expected 6"), ((2, 6), (6,), "rank"),
    ((0, 6), (2, 6), "num_groups must be")])
def test_what_does_not_fit(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        nn.GroupNorm(*arguments)(np.ones(shape, np.float32))
