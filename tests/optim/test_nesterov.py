"""Nesterov's momentum in the textbooks' form: the gradient where the weights are about to be."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X @ [[1.0], [-2.0], [0.5]] + 1).astype(np.float32)


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_it_is_the_textbooks_form_in_other_variables(momentum):
    """v = μ v - ε ∇f(θ + μ v); θ += v. What is trained here is θ + μ v."""
    rate, model = 0.02, nn.Linear(3, 1)
    step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(
        model.parameters(), lr=rate, momentum=momentum, nesterov=True))
    theta = np.append(model.weight.data.ravel(), model.bias.data).astype(np.float64)
    inputs, velocity = np.column_stack([X, np.ones(20)]).astype(np.float64), np.zeros(4)
    for _ in range(100):
        step(X, Y)
        ahead = theta + momentum * velocity
        grad = 2 * inputs.T @ (inputs @ ahead - Y[:, 0]) / 20
        velocity = momentum * velocity - rate * grad
        theta = theta + velocity
        ours = np.append(model.weight.data.ravel(), model.bias.data)
        np.testing.assert_allclose(ours, theta + momentum * velocity, atol=2e-5)


def test_without_looking_ahead_it_is_another_way():
    ends = []
    for nesterov in (False, True):
        fn.manual_seed(0)
        model = nn.Linear(3, 1)
        step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(
            model.parameters(), lr=0.02, momentum=0.9, nesterov=nesterov))
        for _ in range(20):
            step(X, Y)
        ends.append(model.weight.data.copy())
    assert np.abs(ends[0] - ends[1]).max() > 1e-2
