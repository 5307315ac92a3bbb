"""Lazy layers: what they become, what they refuse before, loading and training."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim


def _ones(*shape):
    return np.ones(shape, np.float32)


LAYERS = [
    (lambda: nn.LazyLinear(4), nn.Linear(3, 4), (2, 3)),
    (lambda: nn.LazyLinear(4, bias=False), nn.Linear(3, 4, bias=False), (2, 5, 3)),
    (lambda: nn.LazyConv1d(4, 3), nn.Conv1d(5, 4, 3), (2, 5, 9)),
    (lambda: nn.LazyConv2d(4, 3, 1, 1, 1, 2), nn.Conv2d(6, 4, 3, padding=1, groups=2),
     (2, 6, 9, 8)),
    (lambda: nn.LazyConv2d(4, 3, groups=2, bias=False), nn.Conv2d(6, 4, 3, groups=2, bias=False),
     (6, 9, 8)),
    (lambda: nn.LazyConvTranspose1d(4, 3, stride=2), nn.ConvTranspose1d(5, 4, 3, stride=2),
     (2, 5, 9)),
    (lambda: nn.LazyConvTranspose2d(4, 3), nn.ConvTranspose2d(5, 4, 3), (2, 5, 9, 8)),
    (nn.LazyBatchNorm1d, nn.BatchNorm1d(5), (4, 5)),
    (lambda: nn.LazyBatchNorm2d(affine=False), nn.BatchNorm2d(5, affine=False), (4, 5, 3, 3)),
    (lambda: nn.LazyBatchNorm2d(track_running_stats=False),
     nn.BatchNorm2d(5, track_running_stats=False), (4, 5, 3, 3)),
]


@pytest.mark.parametrize(("make", "plain", "shape"), LAYERS, ids=[repr(row[1]) for row in LAYERS])
def test_a_first_call_makes_the_plain_layer(make, plain, shape):
    layer = make()
    assert type(layer).__name__ == f"Lazy{type(plain).__name__}"
    if layer.weight is not None:
        assert layer.has_uninitialized_params()
    first = layer(_ones(*shape))
    assert type(layer) is type(plain) and repr(layer) == repr(plain)
    assert {name: array.shape for name, array in layer.state_dict().items()} == {
        name: array.shape for name, array in plain.state_dict().items()}
    layer.eval()
    if layer.state_dict():
        plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(plain.eval()(_ones(*shape)), layer(_ones(*shape)))
    assert first.shape == layer(_ones(*shape)).shape


@pytest.mark.parametrize(("make", "plain", "shape"), LAYERS[:7],
                         ids=[repr(row[1]) for row in LAYERS[:7]])
def test_a_loaded_state_gives_the_shape(make, plain, shape):
    layer = make()
    layer.load_state_dict(plain.state_dict())
    np.testing.assert_array_equal(layer(_ones(*shape)), plain(_ones(*shape)))
    assert repr(layer) == repr(plain)
    with pytest.raises(fn.ShapeError, match=r"^linear|channels"):
        other = make()
        other.load_state_dict(plain.state_dict())
        other(_ones(*(size + 4 for size in shape)))


def test_what_has_no_shape_yet_says_so():
    layer = nn.LazyLinear(4)
    for use in (lambda: layer.weight.shape, lambda: layer.state_dict(), lambda: layer.bias.data,
                lambda: optim.SGD(layer.parameters(), lr=0.1), lambda: layer.weight + 1):
        with pytest.raises(ValueError, match="call the model on an example first"):
            use()
    assert repr(layer) == "LazyLinear(in_features=0, out_features=4, bias=True)"
    layer.requires_grad_(False)
    layer(_ones(2, 3))
    assert not layer.weight.requires_grad
    with pytest.raises(fn.ShapeError, match="expected rank"):
        nn.LazyConv2d(4, 3)(_ones(2, 3))
    with pytest.raises(fn.ShapeError, match="groups 2 must divide in_channels 5"):
        nn.LazyConv2d(4, 3, groups=2)(_ones(2, 5, 8, 8))


def test_a_lazy_net_learns_after_a_first_call():
    fn.manual_seed(0)
    model = nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(),
                          nn.Flatten(), nn.LazyLinear(3))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 2, 5, 5)).astype(np.float32), rng.integers(0, 3, 16)
    model(x)
    assert model[4].in_features == 100
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    losses = [step(x, y) for _ in range(20)]
    assert losses[-1] < 0.3 * losses[0]


def test_gradients_of_a_net_whose_first_call_this_is():
    fn.manual_seed(1)
    model = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(2))
    loss, grads = fn.value_and_grad(model, nn.MSELoss())(_ones(4, 3), _ones(4, 2))
    assert {name: grad.shape for name, grad in grads.items()} == {
        "0.weight": (8, 3), "0.bias": (8,), "2.weight": (2, 8), "2.bias": (2,)}
    assert loss > 0 and np.abs(grads["0.weight"]).max() > 0
