"""What optimizers refuse, and that the sentence says what came and what to write instead."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

MODEL = nn.Linear(3, 2)
X, Y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)


def message(error, make):
    with pytest.raises(error) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize(("kind", "name"), [
    (optim.SGD, "lr"), (optim.SGD, "momentum"), (optim.SGD, "dampening"),
    (optim.SGD, "weight_decay"), (optim.Adam, "lr"), (optim.Adam, "eps"),
    (optim.AdamW, "weight_decay")])
def test_numbers(kind, name):
    def refused(error, value):
        return message(error, lambda: kind(MODEL.parameters(), **{name: value}))

    expected = f"{name} must be a number" + " from 0 on" * (name != "dampening")
    assert refused(TypeError, "0.1") == f"{expected}, got the text '0.1'; write {name}=0.1"
    assert refused(TypeError, "fast") == f"{expected}, got the text 'fast'"
    assert refused(TypeError, True) == f"{expected}, got True"
    assert refused(TypeError, None) == f"{expected}, got None"
    assert refused(TypeError, [0.1]) == f"{expected}, got a value of type list"
    assert refused(TypeError, np.ones(2)) == f"{expected}, got an array of shape (2,)"
    for value in (float("nan"), float("inf"), -float("inf"), 1e39, 10**400, np.float64("nan")):
        assert refused(ValueError, value) == f"{expected} that float32 holds, got {value}"
    if name != "dampening":
        assert refused(ValueError, -0.5) == f"{expected} that float32 holds, got -0.5"
    for value in (np.float32(0.5), np.float64(0.5), 0, np.int64(1)):
        group = kind(MODEL.parameters(), **{name: value}).param_groups[0]
        assert group[name] == value and type(group[name]) is float


OUTSIDE = "must be a number from 0 to below 1 that float32 holds, got"


@pytest.mark.parametrize(("betas", "error", "text"), [
    (0.9, TypeError, "betas must be two numbers such as (0.9, 0.999), got 0.9"),
    ("ab", TypeError, "betas must be two numbers such as (0.9, 0.999), got 'ab'"),
    ((0.9,), ValueError, "betas must be two numbers such as (0.9, 0.999), got 1"),
    ((0.9, "0.99"), TypeError, "betas[1] must be a number from 0 to below 1, got the text '0.99'"),
    ((1.0, 0.9), ValueError, f"betas[0] {OUTSIDE} 1.0"),
    ((0.9, float("nan")), ValueError, f"betas[1] {OUTSIDE} nan"),
    ((-0.1, 0.9), ValueError, f"betas[0] {OUTSIDE} -0.1")])
def test_betas(betas, error, text):
    assert message(error, lambda: optim.Adam(MODEL.parameters(), betas=betas)).startswith(text)


def test_betas_of_any_sequence_are_floats():
    for betas in ([0.5, 0.75], np.array([0.5, 0.75]), (np.float32(0.5), 0.75)):
        found = optim.Adam(MODEL.parameters(), betas=betas).param_groups[0]["betas"]
        assert found == (0.5, 0.75) and [type(beta) for beta in found] == [float, float]


def test_nesterov_is_true_or_false():
    text = message(TypeError, lambda: optim.SGD(MODEL.parameters(), momentum=0.9, nesterov="yes"))
    assert text == "nesterov must be True or False, got the text 'yes'"


def used_up():
    parameters = MODEL.parameters()
    list(parameters)
    return parameters


@pytest.mark.parametrize(("params", "error", "words"), [
    (lambda: MODEL, TypeError, ["a value of type Linear", "SGD(model.parameters(), ...)"]),
    (lambda: MODEL.parameters, TypeError, ["SGD(model.parameters(), ...)"]),
    (lambda: MODEL.weight, TypeError, ["type Parameter", "SGD([parameter], ...)"]),
    (lambda: MODEL.named_parameters(), TypeError,
     ["'weight'", "model.parameters(), not model.named_parameters()"]),
    (lambda: MODEL.state_dict(), TypeError, ["type dict", "SGD([{'params': ...}], ...)"]),
    (lambda: {"params": MODEL.parameters()}, TypeError, ["SGD([{'params': ...}], ...)"]),
    (lambda: "weights", TypeError, ["the text 'weights'", "model.parameters()"]),
    (lambda: 3, TypeError, ["type int", "model.parameters()"]),
    (lambda: None, TypeError, ["None", "model.parameters()"]),
    (lambda: [np.ones(3)], TypeError, ["an array of shape (3,)", "fn.nn.Parameter(array)"]),
    (lambda: [nn.parameter.Buffer(np.ones(3))], TypeError, ["type Buffer"]),
    (lambda: [MODEL], TypeError, ["type Linear"]),
    (used_up, ValueError, ["a generator that is used up", "list(model.parameters())"]),
    (lambda: [{"params": used_up()}, {"params": MODEL.parameters()}], ValueError, ["is used up"]),
    (lambda: nn.ReLU().parameters(), ValueError, ["no parameters"]),
    (lambda: [], ValueError, ["SGD got no parameters", "model.parameters()"]),
    (lambda: [{"params": []}], ValueError, ["SGD got no parameters"]),
    (lambda: [{"lr": 0.1}], ValueError, ['a group needs "params"', "['lr']"]),
    (lambda: [{"params": [MODEL.weight]}, MODEL.bias], TypeError, ["parameters or groups"]),
    (lambda: [MODEL.weight, MODEL.weight], ValueError, ["shape (2, 3) is given twice"]),
    (lambda: [{"params": MODEL.weight}, {"params": MODEL.parameters()}], ValueError, ["twice"])])
def test_parameters(params, error, words):
    text = message(error, lambda: optim.SGD(params(), lr=0.1))
    assert all(word in text for word in words), text


@pytest.mark.parametrize("run", [fn.TrainStep, fn.Trainer, lambda *args: fn.memory_frontier(
    *args, (4, 3))])
@pytest.mark.parametrize(("optimizer", "words"), [
    ("adam", "got the text 'adam'; write optim.Adam(model.parameters())"),
    ("AdamW", "got the text 'AdamW'; write optim.AdamW(model.parameters())"),
    ("rmsprop", "got the text 'rmsprop'; write optim.RMSprop(model.parameters())"),
    ("lbfgs", "got the text 'lbfgs'; write optim.SGD(model.parameters())"),
    (optim.Adam, "got the class Adam; write optim.Adam(model.parameters())"),
    (None, "got None; write optim.SGD(model.parameters())"),
    (0.1, "got a value of type float; write optim.SGD(model.parameters())"),
    ([MODEL.weight], "got a value of type Parameter; write optim.SGD(model.parameters())")])
def test_an_optimizer_is_expected(run, optimizer, words):
    if run is fn.Trainer and isinstance(optimizer, str):
        return  # it takes names
    text = message(TypeError, lambda: run(MODEL, nn.MSELoss(), optimizer))
    assert text == f"the optimizer must be one of fastnn.optim, {words}"


def trained():
    model = nn.Linear(3, 2)
    optimizer = optim.SGD([{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}],
                          lr=0.1, momentum=0.5)
    return model, optimizer, fn.TrainStep(model, nn.MSELoss(), optimizer)


def test_the_rate_of_an_optimizer_is_that_of_every_group():
    model, optimizer, step = trained()
    assert optimizer.lr == 0.1
    optimizer.lr = 0.0
    assert [group["lr"] for group in optimizer.param_groups] == [0, 0] and optimizer.lr == 0
    before = {name: value.copy() for name, value in model.state_dict().items()}
    step(X, Y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_rate_that_is_set_is_checked():
    _, optimizer, _ = trained()
    for value, error in (("0.1", TypeError), (True, TypeError), (-1, ValueError),
                         (float("nan"), ValueError)):
        assert message(error, lambda value=value: setattr(optimizer, "lr", value)).startswith("lr")
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]


@pytest.mark.parametrize(("name", "value", "error"), [
    ("lr", "0.1", TypeError), ("lr", float("nan"), ValueError), ("lr", -0.1, ValueError),
    ("momentum", float("inf"), ValueError), ("momentum", 0.0, ValueError),
    ("nesterov", True, ValueError), ("weight_decay", None, TypeError)])
def test_an_option_that_is_set_to_nonsense_changes_nothing(name, value, error):
    """In the second group, whose numbers are written last."""
    model, optimizer, step = trained()
    step(X, Y)
    before = {key: array.copy() for key, array in model.state_dict().items()}
    buffers = [state["momentum_buffer"].copy() for state in optimizer.state.values()]
    optimizer.param_groups[1][name] = value
    with pytest.raises(error, match=name):
        step(X, Y)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
    for state, buffer in zip(optimizer.state.values(), buffers, strict=True):
        np.testing.assert_array_equal(state["momentum_buffer"], buffer)
    assert optimizer.state_dict()["steps"] == [1, 1]


@pytest.mark.parametrize("change", [
    {"lr": -1.0}, {"lr": "0.1"}, {"lr": float("nan")}, {"momentum": 0.0}, {"nesterov": 1}])
def test_a_state_with_nonsense_changes_nothing(change):
    _, optimizer, step = trained()
    state = optimizer.state_dict()
    step(X, Y)
    wrong = {**state, "groups": [state["groups"][0], state["groups"][1] | change]}
    with pytest.raises((ValueError, TypeError)):
        optimizer.load_state_dict(wrong)
    for groups in ([state["groups"][0], {"lr": 0.1}], [state["groups"][0]],
                   [state["groups"][0], state["groups"][1] | {"more": 1}]):
        with pytest.raises(ValueError, match=r"options|groups"):
            optimizer.load_state_dict({**state, "groups": groups})
    assert optimizer.state_dict()["steps"] == [1, 1]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert all(state["momentum_buffer"].any() for state in optimizer.state.values())
