"""Maxout against NumPy and its gradient, and what nets of ReLUs may begin with."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

X = np.random.default_rng(0).normal(size=(3, 12, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("pieces", [2, 3, 4, 12])
@pytest.mark.parametrize("x", [X, X[:, :, 0], X[:, :, 0, 0]])
def test_it_is_the_largest_of_each_group(pieces, x):
    expected = x.reshape(3, 12 // pieces, pieces, *x.shape[2:]).max(2)
    np.testing.assert_array_equal(nn.Maxout(pieces)(x), expected)


def test_the_gradient_goes_to_the_largest():
    assert fn.gradcheck(lambda x: (nn.Maxout(3)(x) ** 2).sum(), (X[:2, :, 0],))


def test_wrong_sizes():
    with pytest.raises(ValueError, match="pool_size must be a whole number from 1 on, got 0"):
        nn.Maxout(0)
    with pytest.raises(fn.ShapeError, match="12"):
        nn.Maxout(5)(X[:, :, 0, 0])


def test_biases_are_set():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(2, 3, bias=False))
    assert nn.init.init_bias(net, 0.25) is net
    np.testing.assert_array_equal(net[0].bias.data, 0.25)
    with pytest.raises(ValueError, match="init_bias: Linear has no bias"):
        nn.init.init_bias(net[2])


def test_a_residual_block_may_begin_as_the_identity():
    net = fn.models.resnet18(zero_init_residual=True)
    x = np.random.default_rng(0).random((2, 64, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(net.layer1[0](x), x)
    assert all((net.layer3[i].bn2.weight.data == 0).all() for i in range(2))
    assert (net.layer3[0].bn1.weight.data == 1).all()
