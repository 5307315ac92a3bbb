"""Functions whose Python code uses models, steps, or threads that do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.engine.compiled import Compiled
from tests.harness import same_bits
from tests.nets import batch, make
from tests.threads import in_threads


class Ask(fn.Function):
    """The identity, which calls something while it runs."""

    ask: ClassVar[Any] = staticmethod(lambda x: None)

    @staticmethod
    def forward(ctx, x):
        Ask.ask(x)
        return x

    @staticmethod
    def backward(ctx, dy):
        return dy


@pytest.fixture
def asking(monkeypatch):
    def use(function):
        monkeypatch.setattr(Ask, "ask", staticmethod(function))

    use(lambda x: None)
    return use


class Asking(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 3)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.last(self.drop(Ask.apply(fn.relu(self.first(x)))))


def vectors(seed):
    return np.random.default_rng(seed).standard_normal((4, 8), dtype=np.float32)


def test_a_model_inside_its_own_function(asking):
    model, x, other = Asking().eval(), vectors(0), vectors(1)
    expected, expected_other = model(x), model(other)
    found = []
    depth = [0]

    def call_again(value):
        depth[0] += 1
        if depth[0] <= 3:
            found.append(model(other))
        depth[0] -= 1

    asking(call_again)
    for _ in range(3):
        np.testing.assert_array_equal(model(x), expected)
    assert len(found) == 9
    for each in found:
        np.testing.assert_array_equal(each, expected_other)


def test_value_and_grad_inside_its_own_function(asking):
    compute = fn.value_and_grad(Asking(), nn.CrossEntropyLoss())
    y = np.array([0, 1, 2, 0])
    expected, inner = compute(vectors(0), y), compute(vectors(1), y)
    busy = []

    def call_again(value):
        if not busy:
            busy.append(True)
            assert compute(vectors(1), y)[0] == inner[0]
            busy.clear()

    asking(call_again)
    for _ in range(2):
        loss, grads = compute(vectors(0), y)
        assert loss == expected[0]
        for name, grad in grads.items():
            np.testing.assert_array_equal(grad, expected[1][name])


def test_a_step_inside_itself_is_an_error_that_changes_nothing(asking):
    model = Asking()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    y = np.array([0, 1, 2, 0])
    step(vectors(0), y)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    asking(lambda value: step(vectors(1), y))
    with pytest.raises(RuntimeError, match="TrainStep was called from inside itself"):
        step(vectors(0), y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    asking(lambda value: None)
    step(vectors(0), y)


def test_another_step_inside_a_step(asking):
    y = np.array([0, 1, 2, 0])

    def losses(inner):
        fn.manual_seed(0)
        model, other = Asking(), make("mlp").eval()
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
        second = fn.TrainStep(other, nn.MSELoss(), fn.optim.SGD(other.parameters(), lr=0.1))
        x = batch(4)[0][:, :, :4, :4].copy()
        asking((lambda value: second(x, np.ones((4, 4), np.float32))) if inner else
               (lambda value: None))
        return [step(vectors(0), y) for _ in range(4)]

    assert losses(True) == losses(False)


def test_masks_are_the_same_on_the_way_back_whatever_runs_in_between(asking):
    """The inner step draws, which moves the random key on."""
    model, other = Asking(0.5), Asking(0.5)
    compute = fn.value_and_grad(model, nn.CrossEntropyLoss())
    y = np.array([0, 1, 2, 0])
    fn.manual_seed(7)
    expected = compute(vectors(0), y)[1]
    inside = []

    def call_other(value):
        if not inside:
            inside.append(True)
            other(vectors(1))
            other(vectors(1))
            inside.clear()

    fn.manual_seed(7)
    asking(call_other)
    found = compute(vectors(0), y)[1]
    for name, grad in found.items():
        np.testing.assert_array_equal(grad, expected[name])


def test_a_function_may_wait_for_a_thread_that_uses_models(asking):
    model, other, x = Asking().eval(), make("residual").eval(), batch()[0]
    expected, expected_other = model(vectors(0)), other(x)

    def wait(value):
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(other, x).result(60)
        np.testing.assert_array_equal(found, expected_other)

    asking(wait)
    np.testing.assert_array_equal(model(vectors(0)), expected)


def test_a_step_with_a_function_in_several_threads(asking):
    """While its function runs, others may run, but not this step."""
    def train(in_how_many):
        fn.manual_seed(0)
        model = Asking()
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
        y = np.array([0, 1, 2, 0])
        found = in_threads(
            lambda number: [step(vectors(0), y) for _ in range(24 // in_how_many)], in_how_many)
        return sorted(chain.from_iterable(found))

    pause = threading.Event()
    asking(lambda value: pause.wait(0.002))
    assert train(3) == train(1)


def test_what_a_function_kept_stays(asking):
    model, kept = Asking().eval(), []
    asking(kept.append)
    expected = model(vectors(0))
    before = kept[0].copy()
    model(vectors(1))
    np.testing.assert_array_equal(kept[0], before)
    inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    np.testing.assert_array_equal(inner(kept[0]), inner(before))
    np.testing.assert_array_equal(model(vectors(0)), expected)


def test_an_error_in_a_function_lets_others_go_on(asking):
    model = Asking().eval()
    expected = model(vectors(0))

    def fail(value):
        raise KeyError("no value today")

    asking(fail)
    with pytest.raises(KeyError, match="today"):
        model(vectors(0))
    asking(lambda value: None)
    found = in_threads(lambda number: model(vectors(0)), 2)
    for each in found:
        np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize("keep", ["outputs", "gradients", "micro-batches"])
def test_a_model_that_runs_as_results_are_read_leaves_them_alone(keep, monkeypatch):
    """As one does that a finalizer calls, which Python may run at any time in the same thread."""
    fn.manual_seed(0)
    model, other = nn.Linear(6, 5), nn.Sequential(nn.Linear(50, 70), nn.Tanh())
    x, y = np.random.default_rng(0).standard_normal((2, 8, 6), np.float32)
    y = y[:, :5]
    step = fn.TrainStep(model, nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.0),
                        keep_output=True, accumulate=2)

    def results():
        if keep == "outputs":
            return [model(x)]
        if keep == "gradients":
            return list(fn.value_and_grad(model, nn.MSELoss())(x, y)[1].values())
        step(x, y)
        return [step.output]

    expected = results()
    read = Compiled.read

    def read_late(compiled, position):
        monkeypatch.setattr(Compiled, "read", read)
        other(np.ones((40, 50), np.float32))
        return read(compiled, position)

    monkeypatch.setattr(Compiled, "read", read_late)
    assert same_bits(results(), expected)
