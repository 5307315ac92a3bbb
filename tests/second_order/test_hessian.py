"""Products with the Hessian against differences of gradients, and against the Hessian itself."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, second_order
from fastnn.second_order.full_batch import FullBatch

X = np.random.default_rng(0).normal(size=(9, 3, 6, 6)).astype(np.float32)
Y = np.arange(9) % 4


def convolutional():
    fn.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh(),
                         nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.Softplus(),
                         nn.Linear(8, 4)).eval()


def dense():
    fn.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, 5), nn.Sigmoid(), nn.LayerNorm(5),
                         nn.Linear(5, 4))


def differences(batch, vector, size=0.05):
    """(∇(θ + h v) - ∇(θ - h v)) / 2h, by Richardson's rule from two sizes."""
    start = batch.parameters

    def central(h):
        found = []
        for sign in (1, -1):
            batch.parameters = start + sign * h * vector
            found.append(batch.value_and_grad()[1])
        return (found[0] - found[1]) / (2 * h)

    estimate = (4 * central(size / 2) - central(size)) / 3
    batch.parameters = start
    return estimate


@pytest.mark.parametrize("make", [convolutional, dense])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1),
                                  lambda output, y: (output.exp().sum() / 9).log()])
def test_products_are_differences_of_gradients(make, loss):
    batch = FullBatch(make(), loss, (X, Y))
    vector = np.random.default_rng(2).normal(size=batch.size)
    vector /= np.linalg.norm(vector)
    product = batch.product(vector)
    assert np.abs(product).max() > 1e-3
    np.testing.assert_allclose(product, differences(batch, vector),
                               atol=2e-3 * np.abs(product).max())


def test_the_hessian_of_a_quadratic_is_known():
    model = nn.Linear(3, 1, bias=False)
    x = np.random.default_rng(0).normal(size=(40, 3))
    found = second_order.hessian(model, nn.MSELoss(), (x, x[:, :1]))
    np.testing.assert_allclose(found, 2 * x.T @ x / 40, rtol=1e-5, atol=1e-6)


def test_a_product_is_the_hessian_times_the_vector():
    model = dense()
    batch = FullBatch(model, nn.CrossEntropyLoss(), (X, Y))
    matrix = second_order.hessian(model, nn.CrossEntropyLoss(), (X, Y))
    np.testing.assert_array_equal(matrix, matrix.T)
    vector = np.random.default_rng(1).normal(size=batch.size)
    np.testing.assert_allclose(batch.product(vector), matrix @ vector, atol=1e-5)
    value, named = second_order.hvp(model, nn.CrossEntropyLoss(), (X, Y),
                                    {"1.bias": np.ones(5)})
    unit = np.concatenate([np.ones(p.size) * (name == "1.bias")
                           for name, p in model.named_parameters()])
    np.testing.assert_allclose(np.concatenate([part.ravel() for part in named.values()]),
                               matrix @ unit, atol=1e-5)
    assert value == pytest.approx(batch.value_and_grad()[0])


@pytest.mark.parametrize("size", [1, 2, 4, 5, 9, 20])
def test_micro_batches_add_up_to_the_whole(size):
    model, loss = convolutional(), nn.CrossEntropyLoss(weight=np.array([1, 2, 3, 4.0]))
    y = np.where(np.arange(9) == 3, -100, Y)  # one is ignored, and they weigh differently
    whole, parts = (FullBatch(model, loss, (X, y), batch_size=most) for most in (None, size))
    vector = np.random.default_rng(2).normal(size=whole.size)
    assert parts.value_and_grad()[0] == pytest.approx(whole.value_and_grad()[0], rel=1e-6)
    for ours, other in ((whole.value_and_grad()[1], parts.value_and_grad()[1]),
                        (whole.product(vector), parts.product(vector))):
        np.testing.assert_allclose(ours, other, atol=1e-5)


def test_frozen_parameters_are_left_out():
    model = dense()
    model[1].requires_grad_(False)
    batch = FullBatch(model, nn.CrossEntropyLoss(), (X, Y))
    assert batch.names == ("3.weight", "3.bias", "4.weight", "4.bias")
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="all are frozen"):
        FullBatch(model, nn.CrossEntropyLoss(), (X, Y))


class Double(fn.Function):
    """An operation of one's own, whose second derivative nobody knows."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 2 * dy


def test_what_is_refused():
    loss = nn.CrossEntropyLoss()
    with pytest.raises(ValueError, match=r"trains no 'weight', but 1\.weight, 1\.bias"):
        second_order.hvp(dense(), loss, (X, Y), {"weight": np.ones(3)})
    with pytest.raises(fn.ShapeError, match=r"'1.bias'\] has shape \(3,\), expected \(5,\)"):
        second_order.hvp(dense(), loss, (X, Y), {"1.bias": np.ones(3)})
    with pytest.raises(ValueError, match=r"2,000,000² numbers, 29802.3 GiB: use hvp"):
        second_order.hessian(nn.Linear(1000, 2000, bias=False), nn.MSELoss(),
                             (np.zeros((2, 1000)), np.zeros((2, 2000))))
    with pytest.raises(TypeError, match="data must be the whole batch, a tuple of arrays"):
        second_order.hessian(dense(), loss, fn.data.Batches(X, Y, 4))
    with pytest.raises(ValueError, match=r"the state of 1 changes with each evaluation"):
        second_order.hessian(convolutional().train(), loss, (X, Y))
    with pytest.raises(ValueError, match=r"the loss is random, by 2:dropout"):
        second_order.hessian(nn.Sequential(nn.Flatten(), nn.Linear(108, 4), nn.Dropout(0.5)), loss,
                             (X, Y))
    model = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="Double"):
        second_order.hvp(model, lambda output, y: Double.apply(output.tanh()).square().mean(),
                         (np.ones((3, 2)), np.ones((3, 2))), {})
