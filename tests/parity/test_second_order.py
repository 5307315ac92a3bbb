"""Products with the Hessian are PyTorch's, in float64."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("loss", ["cross_entropy", "mse_loss"])
def test_products(loss):
    torch = pytest.importorskip("torch")

    def net(layers):
        return layers.Sequential(
            layers.Conv2d(2, 6, 3, padding=1), layers.BatchNorm2d(6), layers.GELU(),
            layers.MaxPool2d(2), layers.Conv2d(6, 4, 3, stride=2), layers.SiLU(), layers.Flatten(),
            layers.Linear(16, 10), layers.Tanh(), layers.Linear(10, 3)).eval()

    fn.manual_seed(0)
    ours, theirs = net(nn), net(torch.nn).double()
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    generator = np.random.default_rng(0)
    x = generator.normal(size=(7, 2, 12, 12)).astype(np.float32)
    y = np.arange(7) % 3 if loss == "cross_entropy" else generator.normal(size=(7, 3))
    y = y.astype(np.int64 if loss == "cross_entropy" else np.float32)
    vector = {name: generator.normal(size=p.shape) for name, p in ours.named_parameters()}
    value, found = fn.second_order.hvp(ours, getattr(fn, loss), (x, y), vector)

    target = torch.tensor(y) if loss == "cross_entropy" else torch.tensor(y).double()
    parameters = list(theirs.parameters())
    there = getattr(torch.nn.functional, loss)(theirs(torch.tensor(x).double()), target)
    grads = torch.autograd.grad(there, parameters, create_graph=True)
    dot = sum((grad * torch.tensor(vector[name])).sum()
              for grad, name in zip(grads, vector, strict=True))
    products = torch.autograd.grad(dot, parameters)
    assert value == pytest.approx(float(there), rel=1e-5)
    for ours_, expected in zip(found.values(), products, strict=True):
        largest = float(expected.abs().max())
        np.testing.assert_allclose(ours_, expected.numpy(), rtol=1e-4, atol=2e-5 * largest)
