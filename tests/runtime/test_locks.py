"""Models, steps and trainers are used from several Python threads."""

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from time import sleep

import numpy as np
import pytest
from fastnn._kernels.turns import runs

import fastnn as fn
from fastnn import nn
from fastnn.runtime.locks import Exclusive, process_lock
from tests.nets import batch, make
from tests.threads import in_threads

CALLS = 60


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
                with process_lock:
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
        with process_lock:  # the seed is the process's
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
            with process_lock:  # the checkpoint has the process's random state too
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


def test_others_wait_until_a_thread_is_no_longer_inside():
    exclusive, order, inside = Exclusive("this"), [], threading.Event()

    def first():
        with exclusive:
            inside.set()
            while not waiting.is_alive():
                pass
            order.append("first")

    def second():
        inside.wait(30)
        with exclusive:
            order.append("second")

    waiting = threading.Thread(target=second)
    one = threading.Thread(target=first)
    one.start()
    waiting.start()
    one.join(30)
    waiting.join(30)
    assert order == ["first", "second"]
    message = "this was called from inside itself"
    with exclusive, pytest.raises(RuntimeError, match=message), exclusive:
        raise AssertionError
    with pytest.raises(KeyError), exclusive:
        raise KeyError
    with exclusive:
        pass


def test_waiting_for_runs_can_be_interrupted():
    """By Ctrl-C, for one; then the lock is free again, and the next one waits as usual."""
    fn.set_num_threads(1)
    model = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(20))).eval()
    x = np.ones((64, 8, 32, 32), np.float32)
    expected = model(x)
    process, found = threading.main_thread().ident, []
    worker = threading.Thread(target=lambda: found.append(model(x)))
    worker.start()
    while not runs.count:
        assert worker.is_alive()
    interrupter = threading.Timer(0.01, signal.pthread_kill, (process, signal.SIGINT))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        while True:
            with process_lock:
                assert runs.count == 0
            sleep(0.001)
    assert not process_lock.is_mine()
    worker.join(60)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(model(x), expected)
    assert runs.count == 0
