"""`optimizer.step(grads)`: the bits of the same TrainStep, and gradients that do not fit."""

import copy
import pickle

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.nets import NETS, Mlp, batch_for, make, same_state, state_of
from tests.threads import in_threads

CROSS = nn.CrossEntropyLoss()
KINDS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "nadam": lambda p: optim.NAdam(p, lr=0.01), "asgd": lambda p: optim.ASGD(p, lr=0.1),
}
CLIPS = [{}, {"clip_grad_norm": 0.5}, {"clip_grad_value": 0.01},
         {"clip_grad_norm": 0.5, "clip_grad_value": 0.01}]


def steady(name):
    """A net without random numbers."""
    model = make(name)
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.DropConnect)):
            module.p = 0.0
    return model


def linear():
    fn.manual_seed(0)
    return nn.Linear(3, 2)


X, Y = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32), np.array([0, 1, 1, 0])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETS)
def test_the_bits_of_a_train_step(name, kind, clip):
    (x, y), one, other = batch_for(name), steady(name), steady(name)
    fused, own = KINDS[kind](one.parameters()), KINDS[kind](other.parameters())
    step, find = fn.TrainStep(one, CROSS, fused, **clip), fn.value_and_grad(other, CROSS)
    for number in range(4):
        loss, grads = find(x, y)
        assert step(x, y) == loss
        own.step(dict(grads) if number % 2 else grads, **clip)
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert a.data.tobytes() == b.data.tobytes()
    assert fused.state_dict()["steps"] == own.state_dict()["steps"]


def test_all_that_gradients_may_be():
    expected = linear()
    optim.SGD(expected.parameters(), lr=0.1).step(fn.value_and_grad(expected, CROSS)(X, Y)[1])

    def ways(model, grads):
        yield {name: grad.copy() for name, grad in grads.items()}
        yield {name: grad.astype(np.float64) for name, grad in grads.items()}
        yield {name: np.asfortranarray(grad) for name, grad in grads.items()}
        yield {model.get_parameter(name): grad for name, grad in grads.items()}
        yield {"something else": np.ones(5), **grads}
        yield [grads["weight"], grads["bias"]]
        yield grads["weight"].tolist(), grads["bias"]
        yield copy.deepcopy(grads)
        yield pickle.loads(pickle.dumps(grads))

    for number in range(9):
        model = linear()
        _, grads = fn.value_and_grad(model, CROSS)(X, Y)
        optim.SGD(model.parameters(), lr=0.1).step(list(ways(model, grads))[number])
        assert same_state(state_of(model), state_of(expected))


def test_what_has_no_gradient_is_left_alone():
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.5)
    before = state_of(model)
    optimizer.step([None, np.ones(2)])
    assert model.weight.data.tobytes() == before["weight"].tobytes()
    assert optimizer.state_dict()["steps"] == [0, 1]
    model.bias.requires_grad = False
    optimizer.step([np.ones((2, 3), int), np.full(2, np.nan)])  # a frozen one's does not matter
    assert optimizer.state_dict()["steps"] == [1, 1]
    optimizer.step([np.ones((2, 3))])  # those of what is trained
    assert optimizer.state_dict()["steps"] == [2, 1]
    optimizer.step([None])
    assert optimizer.state_dict()["steps"] == [2, 1]


def test_what_the_loss_does_not_depend_on_is_left_alone():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(3))

        def forward(self, x):
            return x * self.used

    model = Half()
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    _, grads = fn.value_and_grad(model, nn.MSELoss())(X, X)
    assert not grads["unused"].any()
    optimizer.step(grads)
    assert optimizer.state_dict()["steps"] == [1, 0] and (model.unused.data == 1).all()
    optimizer.step(dict(grads))  # of a dict of one's own, zeros are a gradient
    assert optimizer.state_dict()["steps"] == [2, 1] and (model.unused.data < 1).all()


def test_several_optimizers_take_their_own_from_one_dict():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    first = optim.SGD(model[0].parameters(), lr=0.1)
    second = optim.Adam(model[1].parameters())
    _, grads = fn.value_and_grad(model, CROSS)(X, Y)
    for optimizer in (first, second):
        optimizer.step({name: grad / 2 for name, grad in grads.items()})
        optimizer.step(grads)
    assert first.steps == second.steps == 2


def test_two_models_with_the_same_names():
    one, other = linear(), linear()
    before = state_of(other)
    both = optim.SGD([*one.parameters(), *other.parameters()], lr=0.1)
    _, grads = fn.value_and_grad(one, CROSS)(X, Y)
    both.step(grads)
    assert same_state(before, state_of(other)) and both.state_dict()["steps"] == [1, 1, 0, 0]
    fn.value_and_grad(other, CROSS)(X, Y)
    both.step(grads)  # still those of `one`
    with pytest.raises(ValueError, match=r"2 of the optimizer's parameters are called \w+, in"):
        both.step(dict(grads))
    assert both.state_dict()["steps"] == [2, 2, 0, 0]


def refused(optimizer, model, grads, error, words):
    before, steps = state_of(model), optimizer.state_dict()["steps"]
    with pytest.raises(error, match=words):
        optimizer.step(grads)
    assert same_state(before, state_of(model)) and optimizer.state_dict()["steps"] == steps


def test_gradients_that_do_not_fit():
    model, other = linear(), linear()
    optimizer = optim.Adam(model.parameters())
    _, foreign = fn.value_and_grad(other, CROSS)(X, Y)
    refused(optimizer, model, foreign, ValueError, "made for another model")
    refused(optimizer, model, {"weights": np.ones(3)}, ValueError, "of which no gradient has been")
    _, grads = fn.value_and_grad(model, CROSS)(X, Y)
    refused(optimizer, model, {"weights": np.ones(3)}, ValueError,
            r"\(of weights\) is of one of the 2 parameters of this Adam, such as bias, weight\.")
    refused(optimizer, model, {}, ValueError, "of nothing")
    refused(optimizer, model, {**grads, "weight": np.ones((3, 2))}, fn.ShapeError,
            r"the gradient of weight has shape \(3, 2\), expected \(2, 3\)")
    refused(optimizer, model, {**grads, "bias": np.array(["a", "b"])}, TypeError,
            "the gradient of bias must be an array of numbers")
    refused(optimizer, model, {**grads, "bias": "text"}, TypeError, "the gradient of bias must be")
    refused(optimizer, model, {0: np.ones(2)}, TypeError, "a key of type int")
    refused(optimizer, model, [np.ones(2)], ValueError, "1 gradients for 2 parameters")
    refused(optimizer, model, np.ones(2), TypeError, "a dict by name, or a list")
    refused(optimizer, model, {**grads, model.bias: np.ones(2)}, ValueError,
            "two gradients of one parameter: bias and bias")
    optimizer.step(grads)
    for value in (np.nan, np.inf, 1e300):
        bad = {**grads, "bias": np.array([0.0, value])}
        refused(optimizer, model, bad, fn.NonFiniteError, "the gradient of bias has a non-finite")
    with pytest.raises(ValueError, match="clip_grad_norm"):
        optimizer.step(grads, clip_grad_norm=-1.0)
    with pytest.raises(TypeError, match="clip_grad_value"):
        optimizer.step(grads, clip_grad_value="1")


def test_old_habits():
    optimizer = optim.SGD(linear().parameters(), lr=0.1)
    for grads in ((), (lambda: 0.0,)):
        with pytest.raises(TypeError, match=r"TrainStep.*value_and_grad.*optimizer\.step\(grads\)"):
            optimizer.step(*grads)
    with pytest.raises(TypeError, match=r"optimizer\.step\(grads\)"):
        optimizer.zero_grad(set_to_none=True)


def test_a_steady_step_makes_no_plan(monkeypatch):
    model = Mlp()
    optimizer, (x, y) = optim.Adam(model.parameters()), batch_for("mlp")
    _, grads = fn.value_and_grad(model, CROSS)(x, y)
    optimizer.step(grads)
    model.eval()
    optimizer.step(grads, clip_grad_norm=1.0)
    monkeypatch.setattr("fastnn.engine.optimizer_step.Compiled", None)
    optimizer.step(grads)
    optimizer.step(dict(grads), clip_grad_norm=2.0, clip_grad_value=1.0)
    optimizer.lr = 0.5
    model.train()
    optimizer.step(list(grads.values()))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(threads):
    def trained():
        model = steady("residual")
        optimizer = optim.Adam(model.parameters())
        find = fn.value_and_grad(model, CROSS)
        for _ in range(2):
            optimizer.step(find(*batch_for("residual"))[1], clip_grad_norm=0.1)
        return state_of(model)

    fn.set_num_threads(1)
    expected = trained()
    fn.set_num_threads(threads)
    assert same_state(trained(), expected)


def test_muon():
    one, other = (nn.Sequential(nn.Linear(3, 8, bias=False), nn.Linear(8, 2, bias=False))
                  for _ in range(2))
    other.load_state_dict(one.state_dict())
    fused, own = (optim.Muon(model.parameters(), lr=0.1) for model in (one, other))
    step = fn.TrainStep(one, CROSS, fused, clip_grad_norm=0.1)
    for _ in range(3):
        step(X, Y)
        own.step(fn.value_and_grad(other, CROSS)(X, Y)[1], clip_grad_norm=0.1)
    assert same_state(state_of(one), state_of(other))


def test_a_group_that_is_added():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = optim.Adam(model[1].parameters())
    _, grads = fn.value_and_grad(model, CROSS)(X, Y)
    optimizer.step(grads)
    optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.1})
    optimizer.step(grads)
    assert optimizer.state_dict()["steps"] == [2, 2, 1, 1]


def test_python_threads_take_turns():
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    start, ones = model.bias.data.copy(), [np.zeros((2, 3)), np.ones(2)]

    def run(_):
        for _ in range(20):
            optimizer.step(ones)

    in_threads(run)
    np.testing.assert_array_equal(model.bias.data, start - 80)
    assert optimizer.steps == 80
