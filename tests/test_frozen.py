"""What tracing freezes is noticed: once, by name, and never by mistake."""

import functools
import gc
import random
import threading
import types
import warnings
import weakref
from random import uniform

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X, Y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
GLOBAL, OPTIONS = 0.5, {"scale": 1.0, "step": 0}


class Net(nn.Module):
    """Reads options of many kinds."""

    shared = 0.5

    def __init__(self, body=lambda net, x: x):
        super().__init__()
        self.head, self.body = nn.Linear(3, 2), body
        self.cfg = {"a": 0.5, "deep": [1, {"b": 2}], "step": 0}
        self.array, self.kinds, self.mode = np.ones(3, np.float32), ["relu"], {"on"}
        self.plain = types.SimpleNamespace(gamma=0.5, other=0)
        self.noted, self.calls, self.log, self.seen = 0, 0, [], {}

    def forward(self, x):
        return self.head(self.body(self, x))

    def helper(self, x):
        return x * self.cfg["deep"][1]["b"]


def step_of(net, loss=None):
    return fn.TrainStep(net, loss or nn.MSELoss(), optim.SGD(net.parameters(), lr=0.0))


def warnings_of(run, times=4):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(times):
            run()
    return [str(warning.message) for warning in caught]


def told(net, change, loss=None):
    """What is said of a change after the first step, by four reuses."""
    step = step_of(net, loss)
    assert warnings_of(lambda: step(X, Y)) == []
    change()
    return warnings_of(lambda: step(X, Y), 8)


CHANGES = {
    "an item of a dict": (
        lambda net, x: x * net.cfg["a"], lambda net: net.cfg.update(a=0.25),
        ["cfg['a'], an attribute of Net,", "was 0.5", "is 0.25 now", "fn.Variable", "an input"]),
    "deep in containers, by a method": (
        lambda net, x: net.helper(x), lambda net: net.cfg["deep"][1].update(b=3),
        ["cfg['deep'][1]['b']", "was 2", "is 3 now"]),
    "a list that grew": (
        lambda net, x: x * len(net.cfg["deep"]), lambda net: net.cfg["deep"].append(7),
        ["cfg['deep'][2]", "not there", "is 7 now"]),
    "a text": (
        lambda net, x: getattr(fn, net.kinds[0])(x), lambda net: net.kinds.__setitem__(0, "tanh"),
        ["kinds[0]", "was 'relu'", "is 'tanh' now"]),
    "a set": (lambda net, x: x * ("on" in net.mode), lambda net: net.mode.clear(), ["mode"]),
    "an array": (
        lambda net, x: x * net.array, lambda net: net.array.__setitem__(1, 9), ["array, an attri"]),
    "an attribute of an object": (
        lambda net, x: x * net.plain.gamma, lambda net: setattr(net.plain, "gamma", 1),
        ["plain.gamma", "was 0.5", "is 1 now"]),
    "an attribute set past the module": (
        lambda net, x: x + net.noted, lambda net: vars(net).update(noted=3), ["noted", "is 3"]),
    "an attribute of the class": (
        lambda net, x: x * net.shared, lambda net: setattr(Net, "shared", Net.shared + 1),
        ["shared, an attribute of Net"]),
    "a global": (
        lambda net, x: x * GLOBAL, lambda net: globals().update(GLOBAL=GLOBAL + 1),
        ["GLOBAL, a global that", "<lambda> reads", "was 0.5", "is 1.5"]),
    "an item of a global dict": (
        lambda net, x: x * OPTIONS["scale"], lambda net: OPTIONS.update(scale=OPTIONS["scale"] + 1),
        ["OPTIONS['scale'], a global"]),
}


@pytest.mark.parametrize(("body", "change", "words"), CHANGES.values(), ids=CHANGES.keys())
def test_a_value_that_changed_is_named_once(body, change, words):
    net = Net(body)
    messages = told(net, lambda: change(net))
    assert len(messages) == 1
    for word in words:
        assert word in messages[0]
    assert warnings_of(lambda: net(X), 8) == []  # nor of another plan


class Config:
    """Options as a class."""

    rate = 1.0

    @classmethod
    def loss(cls, output, y):
        return fn.mse_loss(output, y) * cls.rate


def _with_default(output, y, options={"k": 1.0}):  # noqa: B006
    return fn.mse_loss(output, y) * options["k"]


@pytest.mark.parametrize(("loss", "change", "words"), [
    (Config.loss, lambda: setattr(Config, "rate", Config.rate + 1), "rate, an attribute of Config"),
    (lambda output, y: fn.mse_loss(output, y) * Config.rate,
     lambda: setattr(Config, "rate", Config.rate + 1), "Config.rate, a global"),
    (_with_default, lambda: _with_default.__defaults__[0].update(k=2.0),
     "options['k'], a default of _with_default")])
def test_options_of_classes_and_defaults(loss, change, words):
    (message,) = told(Net(), change, loss)
    assert words in message


def test_each_value_of_a_container_is_named():
    net = Net(lambda net, x: x * net.cfg["a"] * net.cfg["deep"][0])
    step = step_of(net)
    step(X, Y)
    net.cfg["a"] = 0.25
    assert ["cfg['a']" in text for text in warnings_of(lambda: step(X, Y), 8)] == [True]
    net.cfg["deep"][0] = 7
    net.cfg["a"] = 0.125
    assert warnings_of(lambda: step(X, Y), 8) == []  # of the first that differs no second time
    net.cfg["a"] = 0.25
    assert ["cfg['deep'][0]" in text for text in warnings_of(lambda: step(X, Y), 16)] == [True]


def test_modules_and_functions_in_lists():
    inner = Net(lambda net, x: x * net.cfg["a"])
    net = Net(lambda net, x: net.kinds[0].body(net.kinds[0], x))
    net.kinds = [inner]
    assert len(told(net, lambda: inner.cfg.update(a=0.25))) == 1


UNREAD = {
    "another item": lambda net: net.cfg.update(step=1),
    "another attribute of an object": lambda net: setattr(net.plain, "other", 1),
    "another attribute": lambda net: net.log.append(1),
    "another item of a global dict": lambda net: OPTIONS.update(step=OPTIONS["step"] + 1),
}


@pytest.mark.parametrize("change", UNREAD.values(), ids=UNREAD.keys())
def test_what_the_code_does_not_name_may_change(change):
    net = Net(lambda net, x: x * net.cfg["a"] * net.plain.gamma * OPTIONS["scale"])
    assert told(net, lambda: change(net)) == []


def test_an_attribute_that_is_set_makes_another_plan():
    net = Net(lambda net, x: x * net.noted)
    step = step_of(net, lambda output, y: (output - y).sum())
    before = step(X, Y)
    net.noted = 3
    assert warnings_of(lambda: step(X, Y), 8) == []
    assert step(X, Y) != before


def _loss_around(numbers):
    lam = 0.5

    def penalty(output):
        return lam * fn.square(output).sum()

    def loss(output, y):
        return fn.mse_loss(output, y) + penalty(output) * numbers[0]

    def change(value):
        nonlocal lam
        lam = value

    return loss, change


def test_variables_around_a_loss_and_the_functions_that_it_calls():
    numbers = [1.0]
    loss, change = _loss_around(numbers)
    messages = told(Net(), lambda: change(0.25), loss)
    assert len(messages) == 1
    for word in ("lam, a variable around _loss_around.<locals>.penalty,", "was 0.5", "is 0.25 now"):
        assert word in messages[0]
    loss, change = _loss_around(numbers)
    assert "numbers[0], a variable around" in told(
        Net(), lambda: numbers.__setitem__(0, 2.0), loss)[0]


class Weighted:
    """A loss that is an object."""

    def __init__(self):
        self.factor = 1.0

    def __call__(self, output, y):
        return self.factor * fn.mse_loss(output, y)

    def other(self, output, y):
        return fn.mse_loss(output, y) / self.factor


def _scaled(output, y, options):
    return fn.mse_loss(output, y) * options["scale"]


@pytest.mark.parametrize("way", ["object", "method", "partial", "module", "lambda"])
def test_other_kinds_of_losses(way):
    weighted, options = Weighted(), {"scale": 1.0}

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = weighted

        def forward(self, output, y):
            return self.inner(output, y)

    loss, change = {
        "object": (weighted, lambda: setattr(weighted, "factor", 2.0)),
        "method": (weighted.other, lambda: setattr(weighted, "factor", 2.0)),
        "partial": (functools.partial(_scaled, options=options), lambda: options.update(scale=2.0)),
        "module": (Loss(), lambda: setattr(weighted, "factor", 2.0)),
        "lambda": (lambda output, y: weighted(output, y), lambda: setattr(weighted, "factor", 2.0)),
    }[way]
    messages = told(Net(), change, loss)
    assert len(messages) == 1 and "was 1.0" in messages[0] and "is 2.0 now" in messages[0]


def _pad(net, x):
    net.calls += 1
    net.seen["shape"] = x.shape
    net.log.append(x.shape[0])
    return x * len(net.log) * (net.calls > 0) * (net.seen["shape"][0] > 0)


def test_what_forward_changes_itself_is_no_news():
    net = Net(_pad)
    step = step_of(net)
    messages = []
    for count in (4, 2, 3, 4, 2, 4, 2, 3, 4):
        messages += warnings_of(lambda n=count: step(X[:n], Y[:n]), 4)
    net.log.clear()
    step.plan((1, 3))
    messages += warnings_of(lambda: step(X, Y), 8) + warnings_of(lambda: net(X[:1]), 8)
    assert messages == []


RNG, DRAW = np.random.default_rng(0), np.random.rand
DRAWS = {
    "random": lambda net, x: x * random.random(),
    "np.random": lambda net, x: x * np.random.rand(),
    "a function of np.random": lambda net, x: x * DRAW(),
    "a function of random": lambda net, x: x * uniform(0, 1),
    "a generator": lambda net, x: x * RNG.random(),
}


@pytest.mark.parametrize("body", DRAWS.values(), ids=DRAWS.keys())
def test_random_numbers_drawn_while_tracing(body):
    net = Net(body)
    messages = warnings_of(lambda: net(X), 4)
    assert len(messages) == 1 and "random numbers were drawn while" in messages[0]
    assert "as an input" in messages[0] and "Net" in messages[0]
    assert len(warnings_of(lambda: step_of(net)(X, Y), 2)) == 0  # once


def test_another_thread_may_draw_meanwhile():
    loader = [threading.Thread(target=random.random)]

    def body(net, x):
        loader[0].start()
        loader[0].join()
        return x

    assert warnings_of(lambda: Net(body)(X), 1) == []


def test_random_numbers_in_a_loss_name_the_loss():
    def noisy_loss(output, y):
        return fn.mse_loss(output, y) * random.random()

    step = step_of(Net(), noisy_loss)
    (message,) = warnings_of(lambda: step(X, Y))
    assert "noisy_loss was traced" in message
    assert warnings_of(lambda: random.random() or step(X, Y)) == []  # later draws are anyone's


class Odd:
    """Raises whatever is asked of it."""

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None

    def __getattr__(self, name):
        raise RuntimeError("no attribute")


def test_odd_and_huge_values_cost_little_and_raise_nothing():
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.odd, self.own = Odd(), {}
            self.own["self"], self.own["nan"] = self.own, float("nan")
            self.huge = [[0] * 1000 for _ in range(10_000)]
            self.grid = np.zeros((3000, 3000))

        def forward(self, x):
            assert self.odd is not None and self.huge and len(self.grid)
            return x * len(self.own)

    net = Holder()
    assert warnings_of(lambda: net(X), 16) == []
    net.huge[0][0] = 1
    assert len(warnings_of(lambda: net(X), 32)) == 1


def test_it_is_looked_for_at_powers_of_two(monkeypatch):
    net, counts = Net(lambda net, x: x * net.cfg["a"]), []
    step = step_of(net)
    step(X, Y)
    watch = step._compiled.watch
    monkeypatch.setattr(watch, "_compare", lambda: counts.append(1))
    at = []
    for reuse in range(1, 20):
        step(X, Y)
        if len(counts) > len(at):
            at.append(reuse)
    assert at == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("use", ["inference", "gradients", "accumulate", "evaluate"])
def test_every_door_looks(use):
    net = Net(lambda net, x: x * net.cfg["a"])
    grads = fn.value_and_grad(net, nn.MSELoss())
    step = fn.TrainStep(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1), accumulate=2)
    trainer = fn.Trainer(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1))
    run = {"inference": lambda: net(X), "gradients": lambda: grads(X, Y),
           "accumulate": lambda: step(X, Y), "evaluate": lambda: trainer.evaluate((X, Y))}[use]
    run()
    net.cfg["a"] = 0.125
    assert len(warnings_of(run, 4)) == 1


def test_the_warning_is_at_the_line_that_called():
    net = Net(lambda net, x: x * net.cfg["a"])
    step = step_of(net)
    step(X, Y)
    net.cfg["a"] = 0.125
    with pytest.warns(UserWarning, match="cfg") as caught:
        step(X, Y)
    assert caught[0].filename == __file__


def test_a_model_is_not_kept_alive():
    net = Net(lambda net, x: x * net.cfg["a"] * GLOBAL)
    net(X)
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None
