"""Reports against statistics by hand; and looking changes nothing."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X = np.random.default_rng(0).normal(size=(40, 1, 6, 6)).astype(np.float32)
Y = np.arange(40) % 3


def net():
    fn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                         nn.Linear(64, 8), nn.Sigmoid(), nn.Dropout(0.5), nn.Linear(8, 3))


def test_statistics_of_values():
    model = net().eval()
    report = fn.inspect(model, X)
    h = model[:3](X)
    row = report["2: relu"]
    assert row.shape == h.shape and row.saturated == pytest.approx((h == 0).mean())
    assert row.mean == pytest.approx(h.mean(), rel=1e-5)
    assert row.std == pytest.approx(h.std(), rel=1e-5)
    assert row.counts.sum() == h.size
    s = model[:6](X)
    assert report["5"].saturated == pytest.approx((s * (1 - s) < 0.0125).mean())
    assert report["7"].saturated is None and report["7"].grad_std is None
    assert [row.path for row in report] == ["0", "1", "2", "4", "5", "7"]
    assert report.loss is None


def test_dead_units_are_flat_for_all_examples():
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU())
    model[0].weight.data[...] = 0
    model[0].bias.data[...] = [-1, 1, 2, -3]
    row = fn.inspect(model, np.ones((5, 2)))["1"]
    assert row.dead == 0.5 and row.saturated == 0.5
    channels = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())
    channels[0].weight.data[...] = 1
    channels[0].bias.data[...] = [-100, 0, 0, 0]
    assert fn.inspect(channels, X)["1"].dead == 0.25


@pytest.mark.parametrize("name,flat", [
    ("Tanh", lambda x: 1 - np.tanh(x) ** 2), ("Sigmoid", lambda x: 4 * np.exp(-x) / (1 + np.exp(
        -x)) ** 2), ("Softsign", lambda x: (1 + abs(x)) ** -2.0),
    ("ELU", lambda x: np.where(x > 0, 1, np.exp(x))), ("ReLU6", lambda x: (x > 0) & (x < 6)),
    ("Hardsigmoid", lambda x: (x > -3) & (x < 3)), ("SELU", lambda x: np.where(
        x > 0, 1, np.exp(x))), ("Softplus", lambda x: 1 / (1 + np.exp(-x))),
    ("Hardtanh", lambda x: (x > -1) & (x < 1))])
def test_flat_is_a_slope_under_a_twentieth(name, flat):
    x = np.linspace(-9, 9, 2001)[:, None]
    found = fn.inspect(nn.Sequential(getattr(nn, name)()), x)["0"].saturated
    assert found == pytest.approx((flat(x) < 0.05).mean(), abs=0.001)


def test_gradients_and_updates():
    model, loss = net(), nn.CrossEntropyLoss()
    value, grads = fn.value_and_grad(model, loss)(X, Y)
    report = fn.inspect(model, X, Y, lr=0.1)
    assert report.loss == pytest.approx(value, rel=1e-6)
    norm = np.sqrt(sum(np.square(grads[f"4.{part}"]).sum() for part in ("weight", "bias")))
    size = np.sqrt(sum(np.square(p.data).sum() for p in model[4].parameters()))
    assert report["4"].weight_grad_norm == pytest.approx(norm, rel=1e-5)
    assert report["4"].update_ratio == pytest.approx(0.1 * norm / size, rel=1e-5)
    logits = fn.inspect(model.eval(), X, Y)["7"]
    p = np.exp(model(X)) / np.exp(model(X)).sum(1, keepdims=True)
    p[np.arange(40), Y] -= 1
    assert logits.grad_std == pytest.approx((p / 40).std(), rel=1e-4)


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, lr=1e-2),
    lambda p: optim.Adagrad(p, lr=1e-2), lambda p: optim.AdamW(p, lr=1e-2, amsgrad=True)])
def test_nothing_changes_and_the_update_is_the_optimizers(make):
    model = net()
    optimizer = make(model.parameters())
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)
    step(X, Y)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    random = fn.get_rng_state()
    report = fn.inspect(model, X, Y, optimizer=optimizer)
    after = model.state_dict()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert str(fn.get_rng_state()) == str(random)
    assert model.training
    step(X, Y)
    moved = np.sqrt(sum(np.square(model[7].state_dict()[part] - before[f"7.{part}"]).sum()
                        for part in ("weight", "bias")))
    size = np.sqrt(sum(np.square(before[f"7.{part}"]).sum() for part in ("weight", "bias")))
    assert report["7"].update_ratio == pytest.approx(moved / size, rel=1e-4)

    twin = net()
    optimizer = make(twin.parameters())
    plain = fn.TrainStep(twin, nn.CrossEntropyLoss(), optimizer)
    plain(X, Y)
    plain(X, Y)
    for name, array in twin.state_dict().items():
        assert array.tobytes() == model.state_dict()[name].tobytes()


class Functional(nn.Module):
    """Activations as functions, and a layer that is called twice."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x, scale):
        return fn.tanh(self.layer(fn.relu(self.layer(x)))) * scale


def test_functions_and_shared_layers():
    x = np.random.default_rng(0).normal(size=(5, 3))
    report = fn.inspect(Functional(), (x, np.ones((5, 1))), np.zeros((5, 3)))
    assert [row.name for row in report] == [
        "layer: linear", "relu", "layer: linear", "tanh", "mul"]
    assert report["relu"].dead is not None
    assert report.rows[2].weight_grad_norm is None  # of the first call's row


def test_a_table_numbers_and_a_picture():
    report = fn.inspect(net(), X, Y, lr=0.1)
    text = str(report)
    assert text.splitlines()[0].split()[:4] == ["layer", "shape", "mean", "std"]
    assert "5: sigmoid" in text and "nan" not in text
    numbers = report.to_dict()
    assert numbers["loss"] == report.loss and numbers["4: linear/std"] == report["4"].std
    figure = report.plot()
    assert len(figure.axes) == len(report)
    with pytest.raises(KeyError, match="no layer '9'; there are 0: conv2d, 1: batch_norm"):
        report["9"]


def test_what_is_refused():
    with pytest.raises(TypeError, match="model"):
        fn.inspect(lambda x: x, X)
    with pytest.raises(ValueError, match="updates need gradients: give the targets y"):
        fn.inspect(net(), X, lr=0.1)
    with pytest.raises(ValueError, match="give an optimizer or lr, not both"):
        model = net()
        fn.inspect(model, X, Y, optimizer=optim.SGD(model.parameters(), lr=0.1), lr=0.1)
    broken = net()
    broken[4].bias.data[0] = np.inf
    with pytest.raises(fn.NonFiniteError, match="4: linear has computed NaN or infinity"):
        fn.inspect(broken, X, Y)
