"""nn.Losses: a loss for each output; parts of losses; losses without a target."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.engine.inputs import NonFiniteError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4)).astype(np.float32)
Y = {"digit": RNG.integers(0, 3, 6), "size": RNG.standard_normal((6, 1)).astype(np.float32)}


class Heads(nn.Module):
    """Two outputs, by name or in order."""

    def __init__(self, named=True):
        super().__init__()
        fn.manual_seed(1)
        self.named, self.digit, self.size = named, nn.Linear(4, 3), nn.Linear(4, 1)

    def forward(self, x):
        found = {"size": self.size(x), "digit": self.digit(x)}
        return found if self.named else (found["digit"], found["size"])


def both(weights=None):
    return nn.Losses({"digit": nn.CrossEntropyLoss(), "size": nn.MSELoss()}, weights)


def parts_by_hand(model):
    output = model(X)
    digit = float(fn.cross_entropy(output["digit"], Y["digit"]))
    return digit, float(fn.mse_loss(output["size"], Y["size"]))


def sgd(model, lr=0.1):
    return fn.optim.SGD(model.parameters(), lr=lr)


def test_the_value_and_the_parts():
    model = Heads()
    digit, size = parts_by_hand(model)
    step = fn.TrainStep(model, both({"size": 0.3}), sgd(model))
    assert step.loss_parts == {}
    assert step(X, Y) == pytest.approx(digit + 0.3 * size, rel=1e-5)
    assert step.loss_parts == pytest.approx({"digit": digit, "size": size}, rel=1e-5)
    total, grads = fn.value_and_grad(Heads(), both({"size": 0.3}))(X, Y)
    assert total == pytest.approx(digit + 0.3 * size, rel=1e-5)
    assert set(grads) == {"digit.weight", "digit.bias", "size.weight", "size.bias"}


def test_a_list_for_a_tuple():
    step = fn.TrainStep(model := Heads(named=False),
                        nn.Losses([nn.CrossEntropyLoss(), nn.MSELoss()], [1, 0.5]), sgd(model))
    digit, size = parts_by_hand(Heads())
    assert step(X, (Y["digit"], Y["size"])) == pytest.approx(digit + size / 2, rel=1e-5)
    assert list(step.loss_parts) == ["0", "1"]


def test_targets_in_any_order_use_one_plan():
    model = Heads()
    step = fn.TrainStep(model, both(), sgd(model, 0.0))
    first = step(X, Y)
    plans = len(step._cache._kept)
    assert step(X, {"size": Y["size"], "digit": Y["digit"]}) == first
    assert len(step._cache._kept) == plans


def test_a_weight_that_changes_between_steps():
    model, weight = Heads(), fn.Variable(0.0)
    step = fn.TrainStep(model, both({"size": weight}), sgd(model, 0.0))
    digit, size = parts_by_hand(model)
    assert step(X, Y) == pytest.approx(digit, rel=1e-5)
    plan = step.plan(X.shape)
    weight.value = 2
    assert step(X, Y) == pytest.approx(digit + 2 * size, rel=1e-5)
    assert step.plan(X.shape) is plan


def test_the_plan_knows_the_targets_of_each_loss():
    model = Heads()
    step = fn.TrainStep(model, both(), sgd(model))
    plan = step.plan(X.shape)
    step(X, Y)
    assert step.plan(X.shape) is plan
    assert step.plan(X.shape, {"digit": (6,), "size": (6, 1)}) is plan


def test_micro_batches_add_up():
    one, other = Heads(), Heads()
    whole = fn.TrainStep(one, both({"size": 0.3}), sgd(one))
    split = fn.TrainStep(other, both({"size": 0.3}), sgd(other), accumulate=3)
    assert split(X, Y) == pytest.approx(whole(X, Y), rel=1e-5)
    assert split.loss_parts == pytest.approx(whole.loss_parts, rel=1e-5)
    np.testing.assert_allclose(other.digit.weight.data, one.digit.weight.data, rtol=1e-5)


def test_a_loss_of_the_output_alone():
    losses = nn.Losses({"digit": nn.CrossEntropyLoss(), "size": lambda size: size.square().mean()})
    model = Heads()
    step = fn.TrainStep(model, losses, sgd(model))
    assert step.plan(X.shape)
    step(X, {"digit": Y["digit"]})
    assert step.loss_parts["size"] == pytest.approx(np.mean(Heads()(X)["size"] ** 2), rel=1e-5)


def test_the_part_that_is_not_finite_is_named():
    losses = nn.Losses({"digit": nn.CrossEntropyLoss(),
                        "size": lambda size: (size.detach() * 0 - 1).log().sum()})
    model = Heads()
    step = fn.TrainStep(model, losses, sgd(model))
    with pytest.raises(NonFiniteError, match="the loss is nan, its part 'size' is nan"):
        step(X, {"digit": Y["digit"]})


def test_it_learns_parameters_of_a_loss():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(np.ones(1))

        def forward(self, output, target):
            return (output * self.scale - target).square().mean()

    losses = nn.Losses({"digit": nn.CrossEntropyLoss(), "size": Scaled()})
    _, grads = fn.value_and_grad(Heads(), losses)(X, Y)
    assert "loss.losses.size.scale" in grads


@pytest.mark.parametrize(("losses", "weights", "error", "said"), [
    (nn.MSELoss(), None, TypeError, "a dict or a list of losses"),
    ({}, None, TypeError, "a dict or a list of losses"),
    ({"a": nn.MSELoss}, None, TypeError, r"losses\['a'\] must be a module or a function"),
    ({"a": nn.MSELoss()}, [1], TypeError, "weights must come as the losses do, as a dict"),
    ({"a": nn.MSELoss()}, {"b": 1}, ValueError, r"weights are for \['b'\]"),
    ([nn.MSELoss()], [1, 2], ValueError, r"weights are for \['0', '1'\]"),
    ({"a": nn.MSELoss()}, {"a": "1"}, TypeError, "weight 'a'"),
])
def test_wrong_arguments(losses, weights, error, said):
    with pytest.raises(error, match=said):
        nn.Losses(losses, weights)


def test_outputs_and_targets_that_do_not_fit():
    model = Heads(named=False)
    with pytest.raises(ValueError, match=r"output must be a dict with .*got a tuple of 2"):
        fn.value_and_grad(model, both())(X, Y)
    with pytest.raises(ValueError, match=r"target must be a dict .*got a dict with \['size'\]"):
        fn.value_and_grad(Heads(), both())(X, {"size": Y["size"]})
    with pytest.raises(ValueError, match="output must be a tuple of 2, got one tensor"):
        fn.value_and_grad(nn.Linear(4, 1), nn.Losses([nn.MSELoss(), nn.MSELoss()]))(X, Y["size"])


def test_loss_part():
    with pytest.raises(TypeError, match="text as its name"):
        fn.loss_part(3, np.ones(1))

    def loss(output, target):
        return fn.loss_part("a", output.square()) + target.sum()

    with pytest.raises(ValueError, match="'a' of a loss must be one number"):
        fn.value_and_grad(nn.Linear(4, 1), loss)(X, Y["size"])

    def twice(output, target):
        return fn.loss_part("a", output.mean()) + fn.loss_part("a", target.sum())

    model = nn.Linear(4, 1)
    with pytest.raises(ValueError, match="two parts of the loss are called 'a'"):
        fn.TrainStep(model, twice, sgd(model))(X, Y["size"])


class Auto(nn.Module):
    """An autoencoder that returns its own loss."""

    def __init__(self):
        super().__init__()
        fn.manual_seed(0)
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return fn.loss_part("error", fn.mse_loss(self.layer(x), x))


def test_a_loss_without_a_target():
    model = Auto()
    step = fn.TrainStep(model, lambda value: value, sgd(model))
    plan = step.plan(X.shape)
    first = step(X)
    assert step.plan(X.shape) is plan
    assert step(X, None) < first and step.loss_parts["error"] < first
    value, grads = fn.value_and_grad(model, lambda value: value)(X)
    assert value < first and set(grads) == {"layer.weight", "layer.bias"}
    frontier = fn.memory_frontier(model, lambda value: value, sgd(model), X.shape)
    assert frontier


def test_micro_batches_without_a_target():
    one, other = Auto(), Auto()
    whole = fn.TrainStep(one, lambda value: value, sgd(one))
    split = fn.TrainStep(other, lambda value: value, sgd(other), accumulate=4)  # of 2, 2, 1, 1
    assert split(X) == pytest.approx(whole(X), rel=1e-5)
    np.testing.assert_allclose(other.layer.weight.data, one.layer.weight.data, rtol=1e-5)


def test_a_target_too_many_or_too_few():
    model = nn.Linear(4, 1)
    with pytest.raises(TypeError, match="got None: the loss takes an output and a target"):
        fn.TrainStep(model, nn.MSELoss(), sgd(model))(X)
    with pytest.raises(TypeError, match="takes the output alone: leave the target y out"):
        fn.value_and_grad(model, lambda output: output.sum())(X, Y["size"])


def test_inputs_and_outputs_may_be_dicts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, batch):
            return {"y": self.layer(batch["x"]) * batch["mask"], "x": batch["x"]}

    model, mask = Net(), np.ones((6, 1), np.float32)
    output = model({"x": X, "mask": mask})
    assert list(output) == ["y", "x"]
    np.testing.assert_array_equal(output["x"], X)
    np.testing.assert_array_equal(model({"mask": mask, "x": X})["y"], output["y"])
    step = fn.TrainStep(model, lambda output: output["y"].square().mean(), sgd(model))
    first = step({"x": X, "mask": mask})
    assert step({"mask": mask, "x": X}) < first
    with pytest.raises(TypeError, match="keys must be texts"):
        model({1: X})
    with pytest.raises(TypeError, match=r"input 0\['mask'\]"):
        model({"x": X, "mask": "no"})
