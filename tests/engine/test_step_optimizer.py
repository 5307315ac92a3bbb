"""An optimizer must hold parameters of the model and its loss, or some of them."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X, Y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(fn.tanh(self.body(x)))


class Scaled(nn.Module):
    """A loss with a parameter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.full(1, 2.0))

    def forward(self, output, target):
        return fn.mse_loss(output * self.scale, target)


def refusal(model, optimizer, loss=None, accumulate=1):
    """The sentence of the error that a step raises; nothing has changed."""
    step = fn.TrainStep(model, loss or nn.MSELoss(), optimizer, accumulate=accumulate)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    texts = []
    for run in (lambda: step(X, Y), lambda: step(X, Y)):
        with pytest.raises(ValueError) as caught:
            run()
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert all((value == before[name]).all() for name, value in model.state_dict().items())
    assert optimizer.steps == 0
    if accumulate == 1:
        with pytest.raises(ValueError, match=r"optimizer"):
            step.plan(X.shape)
    return texts[0]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_optimizer_of_another_model(accumulate):
    model, other = Net(), Net()
    text = refusal(model, optim.SGD(other.parameters(), lr=0.1), accumulate=accumulate)
    assert text == (
        "4 of the optimizer's 4 parameters (of shape (5, 3), (5,), (2, 5), (2,)) are not of this "
        "model or its loss, and no gradient reaches them; the optimizer does not hold the model's "
        "body.weight, body.bias, head.weight, head.bias. It was made for another model, or layers "
        "were replaced after it was made: create it again, with model.parameters()")


def test_a_layer_that_was_replaced_after_the_optimizer_was_made():
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model.head = nn.Linear(5, 2)
    text = refusal(model, optimizer)
    assert text.startswith("2 of the optimizer's 4 parameters (of shape (2, 5), (2,)) are not of")
    assert "does not hold the model's head.weight, head.bias. " in text
    step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    step(X, Y)
    model.head.bias = nn.Parameter(np.zeros(2))
    with pytest.raises(ValueError, match=r"1 of the optimizer's 4 .*model's head\.bias\. "):
        step(X, Y)


def test_a_few_of_many_are_named():
    many = nn.Sequential(*[nn.Linear(3, 3) for _ in range(6)])
    text = refusal(Net(), optim.Adam([*Net().parameters(), *many.parameters()]))
    assert "16 of the optimizer's 16" in text and "(2,), (3, 3), ...)" in text


def test_own_and_foreign_parameters_together():
    model, other = Net(), nn.Linear(1, 1)
    text = refusal(model, optim.Adam([*model.parameters(), other.bias]))
    assert text.startswith("1 of the optimizer's 5 parameters (of shape (1,)) ") and (
        "does not hold" not in text)


def test_frozen_parameters_may_be_of_anything():
    model, other = Net(), Net().requires_grad_(False)
    model.body.requires_grad_(False)
    before = model.head.weight.data.copy()
    fn.TrainStep(model, nn.MSELoss(),
                 optim.SGD([*other.parameters(), *model.parameters()], lr=0.1))(X, Y)
    assert not np.array_equal(before, model.head.weight.data)
    other.requires_grad_(True)
    with pytest.raises(ValueError, match="4 of the optimizer's 8"):
        fn.TrainStep(model, nn.MSELoss(),
                     optim.SGD([*other.parameters(), *model.parameters()], lr=0.1))(X, Y)


def test_a_subset_the_losss_own_and_two_models_in_one():
    model, loss = Net(), Scaled()
    fn.TrainStep(model, loss, optim.SGD([model.head.bias, loss.scale], lr=0.1))(X, Y)
    assert loss.scale.data[0] != 2

    class Both(nn.Module):
        def __init__(self, first, second):
            super().__init__()
            self.first, self.second = first, second

        def forward(self, x):
            return self.first(x) + self.second(x)

    first, second = Net(), Net()
    before = second.body.weight.data.copy()
    fn.TrainStep(Both(first, second), nn.MSELoss(),
                 optim.SGD([*first.parameters(), *second.parameters()], lr=0.1))(X, Y)
    assert not np.array_equal(before, second.body.weight.data)


def test_what_a_loss_reads_without_owning_it_is_trained():
    model, judge = Net(), nn.Linear(2, 1)
    before = judge.weight.data.copy()
    step = fn.TrainStep(model, lambda output, target: fn.square(judge(output)).mean(),
                        optim.SGD([*model.parameters(), judge.weight], lr=0.1))
    step(X, Y)
    assert not np.array_equal(before, judge.weight.data)


def test_a_loss_that_depends_on_nothing_that_is_trained():
    model = Net()
    text = refusal(model, optim.SGD(model.parameters(), lr=0.1),
                   lambda output, target: fn.square(target).mean())
    assert text == ("the loss depends on none of the 4 parameters that the optimizer trains: "
                    "nothing would change")


def test_a_model_that_is_frozen_as_a_whole_may_be_stepped():
    model = Net().requires_grad_(False)
    assert fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))(X, Y) > 0
