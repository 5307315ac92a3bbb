"""A step changes nothing unless its loss, its gradients and its statistics are all finite."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.nets import batch_for, make, same_state, state_of


class Distance(nn.Module):
    """sqrt(sum((x - w)²)): 0 at x = w, where its gradient is 0 / 0."""

    def __init__(self, w=(1.0, 2.0, 3.0)):
        super().__init__()
        self.other, self.w = nn.Parameter(np.ones(1)), nn.Parameter(np.array(w))

    def forward(self, x):
        return fn.sqrt(fn.square(x - self.w).sum(1)) * self.other


def mean(output, target):
    return fn.mean(output)


class Everything:
    """All that a step may change; equal to another if each byte is."""

    def __init__(self, model, optimizer):
        self.values = {name: value.tobytes() for name, value in model.state_dict().items()}
        self.steps = optimizer.state_dict()["steps"]
        self.state = [array.tobytes() for state in optimizer.state_dict()["state"]
                      for array in state.values()]
        self.random = fn.get_rng_state()

    def __eq__(self, other):
        return vars(self) == vars(other)


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1), "adam": lambda p: optim.Adam(p, lr=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_infinite_gradient_of_a_finite_loss(name, accumulate):
    model = Distance()
    optimizer = OPTIMIZERS[name](model.parameters())
    step = fn.TrainStep(model, mean, optimizer, accumulate=accumulate)
    good = np.array([[4.0, 6.0, 3.0], [1.0, 2.0, 4.0]], np.float32)
    y = np.zeros(2, np.float32)
    assert step(good, y) == pytest.approx(3.0)
    model.w.data = [1.0, 2.0, 3.0]
    model.other.data = [1.0]
    before = Everything(model, optimizer)
    bad = good.copy()
    bad[1] = [1.0, 2.0, 3.0]
    for _ in range(2):
        with pytest.raises(fn.NonFiniteError, match=r"^the gradient of w is not finite.*nothing "
                                                    r"was changed$") as error:
            step(bad, y)
        assert Everything(model, optimizer) == before
    if accumulate == 1:
        assert "comes from the model (" in str(error.value)
    assert step(good, y) == pytest.approx(3.0)
    assert optimizer.steps == 2


def test_the_gradient_of_a_losss_own_parameter_is_named():
    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.power = nn.Parameter(np.zeros(1))

        def forward(self, output, target):
            return fn.sqrt(self.power).sum() + fn.mean(fn.square(output - target))

    model, loss = nn.Linear(2, 1), Root()
    step = fn.TrainStep(model, loss, optim.SGD([*model.parameters(), loss.power], lr=0.1))
    with pytest.raises(fn.NonFiniteError, match=r"the gradient of loss\.power is not finite"):
        step(np.ones((3, 2)), np.ones((3, 1)))


def test_what_is_frozen_may_have_any_gradient():
    model = Distance()
    model.w.requires_grad = False
    step = fn.TrainStep(model, mean, optim.SGD(model.parameters(), lr=0.1))
    assert step(np.array([[1.0, 2.0, 3.0]]), np.zeros(1)) == 0


def test_large_gradients_are_no_false_alarm():
    """Their squares, and the sum of these, are far beyond float32."""
    model = nn.Linear(3, 2, bias=False)
    before = model.weight.data.copy()
    step = fn.TrainStep(model, lambda output, target: (output * target).sum(),
                        optim.SGD(model.parameters(), lr=2.0**-126))
    step(np.ones((1, 3)), np.full((1, 2), 2.0**127))
    np.testing.assert_array_equal(model.weight.data, before - 2)


def test_accumulated_gradients_are_checked():
    """Each micro-batch's gradient is finite, their sum is not."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data = [[0.0]]
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = fn.TrainStep(model, lambda output, target: 2 * (output * target).sum(), optimizer,
                        accumulate=2)
    with pytest.raises(fn.NonFiniteError, match="the gradient of weight is not finite; nothing"):
        step(np.ones((2, 1)), np.full((2, 1), 2e38))
    assert model.weight.data[0, 0] == 0 and optimizer.steps == 0
    step(np.ones((2, 1)), np.array([[2e38], [-2e38]]))
    assert optimizer.steps == 1


class Unused(nn.Module):
    """A branch that ends in nothing: its batch norm sees activations as large as asked for."""

    def __init__(self, momentum=0.1):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
        self.norms = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2, momentum=momentum))

    def forward(self, x, side):
        y = self.body(self.norms[0](x))
        self.norms[1](side)
        return y


SIDES = {
    "variance": ([[3e38, 0.0], [-3e38, 0.0], [0.0, 0.0], [1.0, 1.0]], "variance"),
    # the variance is 1.96e38, the unbiased one 3.92e38
    "unbiased": ([[1.4e19, 0.0], [-1.4e19, 0.0]], "variance"),
}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", SIDES)
@pytest.mark.filterwarnings("ignore:a batch of")
def test_statistics_that_are_not_finite(name, accumulate):
    """In the last micro-batch, when the running statistics of the first have moved."""
    rows, word = SIDES[name]
    last = np.array(rows, np.float32)
    bad = np.concatenate([np.ones_like(last)] * (accumulate - 1) + [last])
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((len(bad), size)).astype(np.float32) for size in (2, 3))
    model = Unused(momentum=1.0)
    optimizer = optim.Adam(model.parameters())
    step = fn.TrainStep(model, nn.MSELoss(), optimizer, accumulate=accumulate)
    step((x, x), y)
    before = Everything(model, optimizer)
    with pytest.raises(fn.NonFiniteError,
                       match=rf"^the {word} of a batch in norms\.1 is not finite.*was changed"):
        step((x, bad), y)
    assert Everything(model, optimizer) == before
    step((x, x), y)
    assert model.norms[1].num_batches_tracked.data == 2 * accumulate and optimizer.steps == 2


@pytest.mark.parametrize("name", SIDES)
def test_a_model_in_training_mode_that_is_called_keeps_its_statistics(name):
    rows, word = SIDES[name]
    side = np.array(rows, np.float32)
    model = Unused(momentum=1.0)
    before, random = state_of(model), fn.get_rng_state()
    with pytest.raises(fn.NonFiniteError, match=rf"the {word} of a batch in norms\.1 is not"):
        model(np.ones_like(side), side)
    assert same_state(before, state_of(model)) and fn.get_rng_state() == random
    assert model(side * 0 + 1, side * 0 + 1).shape == (len(side), 3)
    assert model.norms[1].num_batches_tracked.data == 1
    model.eval()(np.ones_like(side), side)


def test_an_update_that_overflows_is_found_by_the_next_step_and_by_savers(tmp_path):
    """A finite gradient may move a weight out of float32 all the same; that is not foreseen."""
    model = nn.Linear(2, 1, bias=False)
    optimizer = optim.SGD(model.parameters(), lr=3e38)
    step = fn.TrainStep(model, nn.MSELoss(), optimizer)
    step(np.full((2, 2), 100.0), np.ones((2, 1)))
    with pytest.raises(fn.NonFiniteError, match="the parameter weight is not finite"):
        step(np.ones((2, 2)), np.ones((2, 1)))
    with pytest.raises(fn.NonFiniteError, match="weight"):
        fn.save(tmp_path / "w.safetensors", model)


def squares(plan):
    """What is read before the update: for each sum of squares the names of who made its inputs."""
    sums = [step.node for step in plan.steps if step.node.op.name == "sum_of_squares"]
    return [(node.scope, [tensor.node.op.name for tensor in node.op.summed(node)])
            for node in sums]


def test_the_plan_says_what_is_looked_at():
    model = make("residual")
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    plan = step.plan(batch_for("residual")[0].shape)
    (first, statistics), (second, gradients) = squares(plan)
    norms = sum(s.node.op.name == "batch_norm_update" for s in plan.steps)
    assert first == "statistics" and len(statistics) == 2 * norms
    assert second == "gradients" and len(gradients) == len(list(model.parameters()))
    rows = [line.split() for line in str(plan).splitlines() if " check " in line]
    assert [row[1:4] for row in rows] == [["check", "statistics", "sum_of_squares"],
                                          ["check", "gradients", "sum_of_squares"]]
    assert [s.node.op.name for s in plan.steps[plan.graph.first_update - 2:][:2]] == [
        "sum_of_squares"] * 2
    model.requires_grad_(False)
    assert [name for name, _ in squares(step.plan(batch_for("residual")[0].shape))] == [
        "statistics"]
    model.eval()
    assert not squares(step.plan(batch_for("residual")[0].shape))
