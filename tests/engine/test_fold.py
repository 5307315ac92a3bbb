"""`eval(fold=True)`: batch norms become part of the layer before them."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.engine.inference import inference_of
from fastnn.engine.memory_limit import within
from fastnn.ops.batch_norm import BatchNorm
from fastnn.runtime.process_memory import resident_bytes
from tests.nets import NETS, batch_for, make


def _norms(model):
    graph = inference_of(model)._cache._last[1].plan.graph
    return sum(isinstance(node.op, BatchNorm) for node in graph.nodes)


def _state(model, seed=0):
    """Running statistics and affine parameters of a net that has been trained."""
    rng = np.random.default_rng(seed)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for value in (module.running_mean, module.running_var, module.weight, module.bias):
                value.data = rng.uniform(0.5, 1.5, value.shape)
    return model


@pytest.mark.parametrize("name", NETS)
def test_values(name):
    model, (x, _) = _state(make(name)), batch_for(name, 3)
    expected = model.eval()(x)
    got = model.eval(fold=True)(x)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(model.eval()(x), expected)  # and back


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layer", [
    lambda bias: (nn.Conv2d(3, 5, 3, stride=2, bias=bias), nn.BatchNorm2d(5)),
    lambda bias: (nn.Conv2d(6, 6, 3, groups=3, bias=bias), nn.BatchNorm2d(6), nn.ReLU()),
    lambda bias: (nn.Flatten(), nn.Linear(147, 9, bias=bias), nn.BatchNorm1d(9), nn.ReLU())])
def test_layers(layer, bias):
    model = _state(nn.Sequential(*layer(bias)))
    channels = 6 if isinstance(model[0], nn.Conv2d) and model[0].groups == 3 else 3
    x = np.random.default_rng(1).standard_normal((2, channels, 7, 7)).astype(np.float32)
    expected = model.eval()(x)
    np.testing.assert_allclose(model.eval(fold=True)(x), expected, rtol=1e-5, atol=1e-5)
    assert _norms(model) == 0


def test_vgg_has_no_norm_left_and_sees_new_statistics():
    model, x = _state(fn.models.vgg11()), np.ones((1, 3, 32, 32), np.float32)
    first = model.eval(fold=True)(x)
    assert _norms(model) == 0
    _state(model, seed=1)
    second = model(x)
    assert (first != second).any()
    np.testing.assert_allclose(second, model.eval()(x), rtol=1e-3)


def test_training_folds_nothing():
    model, x = _state(nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))), np.ones((2, 3, 8, 8))
    model.eval(fold=True)
    assert not model.train().folding
    model(x.astype(np.float32))
    model.eval(fold=True)[1].train()  # a norm with the statistics of its batch stays
    model(x.astype(np.float32))
    assert _norms(model) == 1


def test_an_output_that_others_read_is_computed_as_it_is():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            y = self.conv(x)
            return y, self.norm(y)

    model, x = _state(Net()), np.ones((1, 3, 5, 5), np.float32)
    expected = model.eval()(x)
    for got, value in zip(model.eval(fold=True)(x), expected, strict=True):
        np.testing.assert_array_equal(got, value)


def test_micro_batches_have_the_bits_of_the_whole_batch():
    layers = [layer for _ in range(3) for layer in (nn.Conv2d(8, 8, 5, padding=2),
                                                    nn.BatchNorm2d(8), nn.ReLU())]
    model = _state(nn.Sequential(*layers)).eval(fold=True)
    x = np.random.default_rng(0).standard_normal((64, 8, 64, 64)).astype(np.float32)
    expected = model(x)
    with within(resident_bytes() + x.nbytes + (x.nbytes // 2)):
        np.testing.assert_array_equal(model(x), expected)
