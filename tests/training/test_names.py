"""Losses and optimizers by name, predict, a share for validation, seeds."""

from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches
from fastnn.training.names import LOSSES, optimizers
from fastnn.training.splitting import split_off

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 12)


def make_net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


@pytest.mark.parametrize(("name", "kind"), [
    ("cross_entropy", nn.CrossEntropyLoss), ("mse", nn.MSELoss), ("MSE", nn.MSELoss),
    ("mean_squared_error", nn.MSELoss), ("mae", nn.L1Loss), ("bce", nn.BCELoss),
    ("binary_crossentropy", nn.BCELoss), ("bce_with_logits", nn.BCEWithLogitsLoss),
    ("huber", nn.HuberLoss), ("nll", nn.NLLLoss), ("smooth_l1", nn.SmoothL1Loss)])
def test_losses_by_name(name: str, kind: type[nn.Module]) -> None:
    assert type(fn.Trainer(make_net(), name, "sgd").loss) is kind
    assert all(isinstance(made(), nn.Module) for made in LOSSES.values())


@pytest.mark.parametrize(("name", "kind"), [
    ("sgd", optim.SGD), ("adam", optim.Adam), ("AdamW", optim.AdamW)])
def test_optimizers_by_name(name: str, kind: type[optim.Optimizer]) -> None:
    model = make_net()
    made = fn.Trainer(model, "cross_entropy", name).optimizer
    assert type(made) is kind
    assert len(made.param_groups[0]["params"]) == len(list(model.parameters()))
    assert made.param_groups[0]["lr"] == kind(model.parameters()).param_groups[0]["lr"]
    assert optimizers()[name.lower()] is kind


@pytest.mark.parametrize(("loss", "optimizer", "error", "message"), [
    ("cross_entropi", "sgd", ValueError, "no loss is named 'cross_entropi', perhaps 'cross_entro"),
    ("qqq", "sgd", ValueError, "no loss is named 'qqq'; there are bce, bce_with_logits"),
    ("mse", "adamm", ValueError, "no optimizer is named 'adamm', perhaps 'adam'"),
    ("sparse_categorical_crossentropy", "sgd", ValueError, "probabilities in Keras, models return"),
    (nn.CrossEntropyLoss, "sgd", TypeError, "loss is the class CrossEntropyLoss"),
    ("mse", optim.Adam, TypeError, r"optim.Adam\(model.parameters\(\)\)"),
    (3, "sgd", TypeError, "loss must be a module"),
])
def test_unknown_names_and_classes(
    loss: Any, optimizer: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fn.Trainer(make_net(), loss, optimizer)


def test_a_step_takes_objects() -> None:
    model = make_net()
    with pytest.raises(TypeError, match=r"got 'mse'.*a Trainer takes names"):
        fn.TrainStep(model, "mse", optim.SGD(model.parameters()))
    with pytest.raises(TypeError, match=r"optim.SGD\(model.parameters\(\)\)"):
        fn.TrainStep(model, nn.MSELoss(), "sgd")


@pytest.mark.parametrize("size", [1, 5, 12, 256])
@pytest.mark.parametrize("budget", [None, "2GiB"])
def test_predictions_are_the_models_in_their_order(size: int, budget: Any) -> None:
    fn.manual_seed(0)
    model = make_net()
    made = fn.Trainer(model, "cross_entropy", "sgd", memory_budget=budget)
    made.fit((X, Y), epochs=1, batch_size=4)
    state, running = fn.get_rng_state(), model.state_dict()["1.running_mean"].copy()
    expected_modes = [module.training for module in model.modules()]
    parts = range(0, 12, size)
    found = [made.predict(X, size), made.predict([X[i:i + size] for i in parts]),
             made.predict([(X[i:i + size], Y[i:i + size]) for i in parts]),
             made.predict(Batches(X, Y, size, shuffle=False))]
    assert [module.training for module in model.modules()] == expected_modes
    assert fn.get_rng_state() == state
    assert np.array_equal(model.state_dict()["1.running_mean"], running)
    model.eval()
    for each in found:
        np.testing.assert_allclose(each, model(X), rtol=1e-5, atol=1e-6)


def test_predictions_of_several_inputs_and_outputs() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: Any, z: Any) -> Any:
            return self.layer(x), (z * 2, self.layer(z).sum(1))

    model = Both()
    made = fn.Trainer(model, lambda output, y: output[0].mean(), "sgd")
    first, (second, third) = made.predict((X, X + 1), batch_size=4)
    np.testing.assert_allclose(first, model.layer(X), rtol=1e-5, atol=1e-6)
    assert np.array_equal(second, (X + 1) * 2) and third.shape == (12,)
    assert made.predict([((X[:3], X[:3]), Y[:3])])[0].shape == (3, 2)


def test_predictions_that_cannot_be_made() -> None:
    made = fn.Trainer(nn.Linear(4, 3), lambda output, y: output.mean(), "sgd")
    for x, error, message in (
            ("text", TypeError, "x must be an array"), (3, TypeError, "x must be an array"),
            ([], ValueError, "no batches"), ((X, X[:3]), ValueError, "as many examples each"),
            ([np.full((2, 4), np.nan)], fn.NonFiniteError, "prediction, batch 1")):
        with pytest.raises(error, match=message):
            made.predict(x)

    class Total(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.sum()

    with pytest.raises(fn.ShapeError, match="one row for each"):
        fn.Trainer(Total(), lambda output, y: output, optim.SGD([nn.Parameter(np.zeros(1))])) \
            .predict([X])


@pytest.mark.parametrize(("share", "held"), [(0.2, 3), (0.5, 6), (2, 2), (np.float32(0.1), 2)])
def test_a_share_for_validation_is_the_end(share: Any, held: int) -> None:
    runs = []
    for data, validation in (((X, Y), share), ((X[:-held], Y[:-held]), (X[-held:], Y[-held:]))):
        fn.manual_seed(0)
        made = fn.Trainer(make_net(), "cross_entropy", "sgd")
        runs.append([{**each, "seconds": 0} for each in made.fit(data, validation, 2, 12)])
    assert runs[0] == runs[1]
    training, validation = split_off((X, Y, np.ones(12)), share)
    assert [len(each) for each in validation] == [held] * 3
    assert training[0].base is X or training[0].base is X.base  # no copy


@pytest.mark.parametrize(("data", "share", "error", "message"), [
    ((X, Y), 1.0, ValueError, "leaves 0 to train on"), ((X, Y), 12, ValueError, "leaves 0 to"),
    ((X, Y), 1.5, ValueError, "a share above 0 and below 1"), ((X, Y), 0, ValueError, "from 1 on"),
    ((X, Y), 0.0, ValueError, "a share above 0"), ((X, Y), True, TypeError, "got True"),
    ([(X, Y)], 0.2, TypeError, r"splits arrays \(x, y\), got list"),
    (Batches(X, Y, 4), 0.2, TypeError, "got Batches"),
    ((X, Y[:5]), 0.2, ValueError, "differ in their numbers"),
])
def test_shares_that_cannot_be(
    data: Any, share: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fn.Trainer(make_net(), "cross_entropy", "sgd").fit(data, share, 1)


@pytest.mark.parametrize("by_fit", [True, False])
def test_a_seed_makes_a_run_repeatable(by_fit: bool) -> None:
    def run(seed: int, before: int) -> list[Any]:
        fn.manual_seed(0)
        model = make_net()
        fn.manual_seed(before)
        made = fn.Trainer(model, "cross_entropy", "sgd", seed=None if by_fit else seed)
        options = {"seed": seed} if by_fit else {}
        made.fit((X, Y), epochs=1, batch_size=4, **options)
        made.fit((X, Y), epochs=2, batch_size=4, **options)
        return [{**each, "seconds": 0} for each in made.history]

    first = run(5, 1)
    assert run(5, 2) == first and run(6, 1) != first
    assert len({each["loss"] for each in first}) == 3  # no epoch repeats what another drew
