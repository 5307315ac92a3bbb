"""Layers: arguments, initial values, and what they compute in training and in use."""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.nn import init
from fastnn.runtime.random import generator
from fastnn.spec import ShapeError


def _uniform_check(values, bound):
    assert np.abs(values).max() <= bound
    assert np.abs(values).max() > 0.97 * bound
    assert abs(values.mean()) < 4 * bound / math.sqrt(3 * values.size)
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_initial_values_are_pytorchs():
    linear = nn.Linear(200, 300)
    _uniform_check(linear.weight.data, 1 / math.sqrt(200))
    _uniform_check(linear.bias.data, 1 / math.sqrt(200))
    conv = nn.Conv2d(32, 64, 5, groups=2)
    _uniform_check(conv.weight.data, 1 / math.sqrt(16 * 25))
    norm = nn.BatchNorm2d(8)
    assert (norm.weight.data == 1).all() and (norm.bias.data == 0).all()
    assert (norm.running_mean.data == 0).all() and (norm.running_var.data == 1).all()


@pytest.mark.parametrize(("name", "arguments", "std"), [
    ("kaiming_normal_", {"nonlinearity": "relu"}, math.sqrt(2 / (64 * 9))),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2 / (128 * 9))),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, math.sqrt(1 / (3 * 64 * 9))),
    ("xavier_normal_", {}, math.sqrt(2 / (192 * 9))),
    ("xavier_uniform_", {"gain": 2.0}, 2 * math.sqrt(2 / (192 * 9))),
    ("normal_", {"mean": 1.0, "std": 0.5}, 0.5),
])
def test_init(name, arguments, std):
    parameter = nn.Parameter(np.zeros((128, 64, 3, 3)))
    getattr(init, name)(parameter, **arguments)
    assert parameter.data.std() == pytest.approx(std, rel=0.02)
    assert parameter.data.mean() == pytest.approx(arguments.get("mean", 0), abs=4 * std / 270)


@pytest.mark.parametrize("shape", [
    (), (7,), (0, 3), (50, 40, 9, 9), (2, 3, init.CHUNK + 1), (2 * init.CHUNK + 5,)])
def test_chunks_draw_what_one_draw_would(shape):
    """The random stream, and so the bits of a seed's weights, do not depend on the chunks."""
    for name, arguments in (("uniform", (-0.3, 0.7)), ("normal", (0.1, 2.0))):
        parameter = nn.Parameter(np.zeros(shape, np.float32))
        fn.manual_seed(3)
        getattr(init, f"{name}_")(parameter, *arguments)
        draw = getattr(np.random.default_rng(3), name)
        whole = np.asarray(draw(*arguments, shape), np.float32)
        assert parameter.data.tobytes() == whole.tobytes()
        assert generator().random() == draw.__self__.random()


def test_the_seed_decides_initial_values():
    def weights():
        fn.manual_seed(3)
        return nn.Linear(5, 4).weight.data.tobytes() + nn.Conv2d(2, 3, 3).weight.data.tobytes()

    assert weights() == weights()
    assert nn.Linear(5, 4).weight.data.tobytes() != nn.Linear(5, 4).weight.data.tobytes()


@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
def test_running_statistics(momentum):
    rng = np.random.default_rng(0)
    norm = nn.BatchNorm2d(3, momentum=momentum)
    mean, var = np.zeros(3), np.ones(3)
    for count in range(1, 4):
        x = (rng.standard_normal((4, 3, 5, 2)) * 2 + 1).astype(np.float32)
        norm(x)
        share = 1 / count if momentum is None else momentum
        mean += share * (x.mean((0, 2, 3), dtype=np.float64) - mean)
        var += share * (x.astype(np.float64).var((0, 2, 3), ddof=1) - var)
        np.testing.assert_allclose(norm.running_mean.data, mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(norm.running_var.data, var, rtol=1e-5)
        assert norm.num_batches_tracked.data == count
    kept = norm.running_mean.data.copy()
    y = norm.eval()(x)
    expected = (x - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(norm.running_mean.data, kept)


def test_batch_norm_variants():
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    plain = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    assert list(plain.state_dict()) == []
    np.testing.assert_allclose(plain.eval()(x).mean(0), 0, atol=1e-6)
    assert nn.BatchNorm1d(3)(x[:, :, None]).shape == (6, 3, 1)
    for layer, shape in [(nn.BatchNorm1d(3), (2, 3, 4, 4)), (nn.BatchNorm2d(3), (2, 3)),
                         (nn.BatchNorm2d(3), (2, 4, 2, 2)), (nn.BatchNorm2d(3), (1, 3, 1, 1))]:
        with pytest.raises(ShapeError):
            layer(np.ones(shape, np.float32))


def test_dropout():
    layer, x = nn.Dropout(0.25), np.ones((100, 100), np.float32)
    y = layer(x)
    assert set(np.unique(y)) == {0.0, np.float32(4 / 3)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(y, layer(x)), "each call draws anew"
    np.testing.assert_array_equal(layer.eval()(x), x)
    assert (nn.Dropout(1.0)(x) == 0).all()
    with pytest.raises(ValueError, match="probability"):
        nn.Dropout(1.5)


def test_dropconnect_masks_weights():
    layer = nn.DropConnect(nn.Linear(80, 60), 0.25)
    weight, bias = layer.module.weight.data.copy(), layer.module.bias.data.copy()
    eye = np.eye(80, dtype=np.float32)
    seen = layer(eye) - bias  # the masked weights, transposed
    kept = np.abs(seen) > 1e-6
    np.testing.assert_allclose(seen[kept], (weight.T / 0.75)[kept], rtol=1e-4, atol=1e-6)
    assert (~kept).mean() == pytest.approx(0.25, abs=0.03)
    assert not np.array_equal(layer(eye) - bias, seen), "each call draws anew"
    np.testing.assert_array_equal(layer.eval()(eye), layer.module(eye))
    np.testing.assert_array_equal(layer.module.weight.data, weight)


def test_dropconnect_trains_the_weights_it_kept():
    """Those that a step drops have no gradient, and the others that of the scaled weight."""
    layer = nn.DropConnect(nn.Sequential(nn.Linear(30, 20, bias=False)), 0.5)
    inner = layer.module[0].weight
    start = inner.data.copy()
    x = np.ones((1, 30), np.float32)
    step = fn.TrainStep(layer, lambda output, target: output.sum(),
                        fn.optim.SGD(layer.parameters(), lr=0.1))
    step(x, np.zeros(1))
    moved = start - inner.data
    np.testing.assert_allclose(np.unique(moved.round(4)), [0.0, 0.2], atol=1e-6)
    assert (moved == 0).mean() == pytest.approx(0.5, abs=0.08)


def test_dropconnect_of_what_has_no_weights():
    with pytest.raises(TypeError, match="Module"):
        nn.DropConnect(3)
    with pytest.raises(ValueError, match="probability"):
        nn.DropConnect(nn.Linear(2, 2), -0.1)
    with pytest.raises(ValueError, match="weights"):
        nn.DropConnect(nn.ReLU())


def test_evaluation_does_not_move_the_random_state():
    layer, x = nn.Dropout(0.25), np.ones((10, 10), np.float32)
    other = nn.Linear(10, 3)
    state = fn.get_rng_state()
    first = layer(x)
    fn.set_rng_state(state)
    layer.eval()(x)
    other(x)
    np.testing.assert_array_equal(layer.train()(x), first)


def test_dropouts_of_model_and_loss_differ():
    masks = []

    def loss(output, target):
        masks.append(fn.dropout(target, 0.5))
        return (output + masks[-1]).sum()

    class Model(nn.Module):
        def forward(self, x):
            masks.append(fn.dropout(x, 0.5))
            return masks[-1]

    x = np.ones((4, 50), np.float32)
    fn.value_and_grad(Model(), loss)(x, x)
    streams = [mask.node.op.stream for mask in masks]
    assert len(set(streams)) == 2


LAYERS = [
    (nn.ReLU(), (2, 3)), (nn.Sigmoid(), (2, 3)), (nn.Tanh(), (2, 3)), (nn.SiLU(), (2, 3)),
    (nn.GELU(), (2, 3)), (nn.GELU("tanh"), (2, 3)), (nn.LeakyReLU(0.2), (2, 3)),
    *((getattr(nn, name)(), (2, 3)) for name in (
        "ReLU6", "Hardtanh", "SELU", "CELU", "Softplus", "Softsign", "Mish", "Hardsigmoid",
        "Hardswish", "Hardshrink", "Softshrink", "Tanhshrink", "LogSigmoid", "PReLU")),
    (nn.Threshold(0.1, -2), (2, 3)), (nn.GLU(1), (2, 4)), (nn.Maxout(3), (2, 6, 4, 5)),
    (nn.Softmax(1), (2, 3)), (nn.LogSoftmax(-1), (2, 3)), (nn.Softmin(0), (2, 3)),
    (nn.Softmax2d(), (2, 3, 4, 5)), (nn.Softmax2d(), (3, 4, 5)),
    (nn.ELU(0.5), (2, 3)), (nn.Identity(), (2, 3)), (nn.Flatten(), (2, 3, 4, 5)),
    (nn.MaxPool2d(2), (2, 3, 4, 6)), (nn.AvgPool2d(2), (2, 3, 4, 6)),
    (nn.AdaptiveAvgPool2d((2, None)), (2, 3, 5, 6)), (nn.Dropout(0.5), (2, 3)),
    (nn.DropConnect(nn.Conv2d(3, 4, 3), 0.5), (2, 3, 4, 5)),
    (nn.Conv2d(3, 4, (3, 2), padding="same"), (2, 3, 4, 5)),
    (nn.Conv2d(3, 6, 3, padding=((1, 0), (0, 2)), groups=3), (2, 3, 4, 5)),
    (nn.ConvTranspose2d(3, 4, (3, 2), stride=2, padding=1), (2, 3, 4, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=repr)
def test_layers_run(layer, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = layer(x)
    assert y.dtype == np.float32 and np.isfinite(y).all() and y.flags.c_contiguous
    assert repr(layer).startswith(type(layer).__name__ + "(")


def test_bad_arguments():
    for bad in (lambda: nn.Conv2d(3, 4, 3, groups=2), lambda: nn.Conv2d(3, 4, 0),
                lambda: nn.GELU("exact"), lambda: nn.CrossEntropyLoss(reduction="average"),
                lambda: nn.MSELoss(reduction="average")):
        with pytest.raises(ValueError):
            bad()


def test_loss_modules():
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 3)).astype(np.float32), rng.integers(0, 3, 6)
    loss = nn.CrossEntropyLoss(weight=[1, 2, 3], label_smoothing=0.1)
    assert float(loss(x, t)) == pytest.approx(float(nn.CrossEntropyLoss(
        np.array([1.0, 2.0, 3.0]), label_smoothing=0.1)(x, t)))
    assert list(loss.state_dict()) == ["weight"]
    assert float(nn.MSELoss()(x, x + 2)) == pytest.approx(4, rel=1e-5)
