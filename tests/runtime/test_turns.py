"""Models and steps are used from several Python threads, and from inside of their own functions."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.runtime.turns import Alone, turn
from tests.nets import batch, make

CALLS = 60


def in_threads(function, count=4):
    """What a function of a number returns in so many threads at once; or what it raises."""
    start = threading.Barrier(count)

    def run(number):
        start.wait(60)
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def inputs(count=4, examples=6):
    rng = np.random.default_rng(3)
    return [rng.standard_normal((examples, 2, 8, 8), dtype=np.float32) for _ in range(count)]


@pytest.mark.parametrize("threads", [1, 2])
def test_one_model_in_several_threads(threads):
    fn.set_num_threads(threads)
    model, xs = make("residual").eval(), inputs()
    expected = [model(x) for x in xs]

    def infer(number):
        return all(np.array_equal(model(xs[number]), expected[number]) for _ in range(CALLS))

    assert in_threads(infer) == [True] * 4


def test_batches_of_several_sizes_in_several_threads():
    """More shapes than plans are kept, so that plans come and go meanwhile."""
    model = make("residual").eval()
    xs = [batch(count)[0] for count in range(1, 15)]
    expected = [model(x) for x in xs]

    def infer(number):
        rng = np.random.default_rng(number)
        return all(np.array_equal(model(xs[i]), expected[i]) for i in rng.integers(0, 14, CALLS))

    assert in_threads(infer) == [True] * 4


def test_one_value_and_grad_in_several_threads():
    compute = fn.value_and_grad(make("residual").eval(), nn.CrossEntropyLoss())
    xs, y = inputs(), np.arange(6) % 4
    expected = [compute(x, y) for x in xs]

    def differentiate(number):
        for _ in range(CALLS):
            loss, grads = compute(xs[number], y)
            assert loss == expected[number][0]
            assert all(np.array_equal(grads[name], expected[number][1][name]) for name in grads)

    in_threads(differentiate)


def training(kind="residual", seed=5):
    fn.manual_seed(seed)
    model = make(kind)
    optimizer = fn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return model, fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)


def test_one_step_in_several_threads():
    """All take steps on the same batch: together they end where one thread ends."""
    x, y = batch()
    model, step = training()
    losses = sorted(step(x, y) for _ in range(4 * 15))
    shared, shared_step = training()
    found = in_threads(lambda number: [shared_step(x, y) for _ in range(15)])
    assert sorted(chain.from_iterable(found)) == losses
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(shared.state_dict()[name], value)


def test_a_model_in_use_while_it_is_trained():
    """What is seen is what the weights were between two steps."""
    x, y = batch()
    model, step = training("mlp")
    model.eval()
    x = x[:, :, :4, :4].copy()
    seen, between = [], [model(x)]

    def act(number):
        if number == 0:
            for _ in range(40):
                with turn:
                    step(x, y)
                    between.append(model(x))
        else:
            seen.extend(model(x) for _ in range(CALLS))

    in_threads(act, 2)
    assert all(any(np.array_equal(each, one) for one in between) for each in seen)


def test_trainers_of_two_threads():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 2, 8, 8), dtype=np.float32), rng.integers(0, 4, 40)

    def train(number):
        with turn:  # the seed is the process's
            fn.manual_seed(number)
            model = make("residual")
        model.drop = nn.Dropout(0.0)  # masks would depend on who draws first
        optimizer = fn.optim.SGD(model.parameters(), lr=0.01)
        trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
        history = trainer.fit((x, y), validation=(x, y), epochs=3, batch_size=8, seed=1)
        return [(record["loss"], record["validation_loss"]) for record in history]

    alone = [train(0), train(1)]
    assert in_threads(train, 2) == alone


def test_evaluating_saving_and_using_a_model_while_it_is_trained(tmp_path):
    """What trains is what it would be alone; what is saved is a state between two steps."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 2, 8, 8), dtype=np.float32), rng.integers(0, 4, 64)

    def trainer():
        fn.manual_seed(3)
        model = make("residual")
        optimizer = fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        return fn.Trainer(model, nn.CrossEntropyLoss(), optimizer)

    alone = trainer().fit((x, y), epochs=4, batch_size=8, seed=1)
    restored, shared = trainer(), trainer()
    done, path = threading.Event(), tmp_path / "checkpoint"

    def watch():
        saved = 0
        while not done.is_set():
            shared.evaluate((x, y))
            shared.save(path)
            with turn:  # the checkpoint has the process's random state too
                state = fn.get_rng_state()
                restored.resume(path)
                fn.set_rng_state(state)
            assert restored.steps == restored.epoch * 8 + restored.batch
            assert restored.optimizer.steps == restored.steps
            saved += 1
        return saved

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            history = shared.fit((x, y), epochs=4, batch_size=8, seed=1)
        finally:
            done.set()
        assert watching.result(60) > 0
    assert [record["loss"] for record in history] == [record["loss"] for record in alone]


def test_two_fits_of_one_trainer_follow_each_other():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 16), dtype=np.float32), rng.integers(0, 4, 32)

    def trainer():
        fn.manual_seed(3)
        model = nn.Linear(16, 4)
        return fn.Trainer(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))

    one, shared = trainer(), trainer()
    for _ in range(2):
        one.fit((x, y), epochs=3, batch_size=4, seed=1)
    in_threads(lambda number: shared.fit((x, y), epochs=3, batch_size=4, seed=1), 2)
    assert [record["loss"] for record in shared.history] == \
        [record["loss"] for record in one.history]

    class Again(fn.training.Callback):
        def on_epoch_end(self, trainer):
            trainer.fit((x, y))

    one.callbacks.append(Again())
    with pytest.raises(RuntimeError, match="Trainer was called from inside itself"):
        one.fit((x, y), epochs=1)


def test_asyncio():
    model, xs = make("residual").eval(), inputs(8)
    expected = [model(x) for x in xs]

    async def serve():
        return await asyncio.gather(*(asyncio.to_thread(model, x) for x in xs))

    for found, right in zip(asyncio.run(serve()), expected, strict=True):
        np.testing.assert_array_equal(found, right)


# Functions whose Python code uses models.


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
    """While its function runs, others may have their turn, but not this step."""
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


def test_others_wait_until_a_thread_is_no_longer_inside():
    alone, order, inside = Alone("this"), [], threading.Event()

    def first():
        with alone:
            inside.set()
            while not waiting.is_alive():
                pass
            order.append("first")

    def second():
        inside.wait(30)
        with alone:
            order.append("second")

    waiting = threading.Thread(target=second)
    one = threading.Thread(target=first)
    one.start()
    waiting.start()
    one.join(30)
    waiting.join(30)
    assert order == ["first", "second"]
    with alone, pytest.raises(RuntimeError, match="this was called from inside itself"), alone:
        raise AssertionError
    with pytest.raises(KeyError), alone:
        raise KeyError
    with alone:
        pass


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
