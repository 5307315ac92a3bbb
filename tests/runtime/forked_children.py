"""Forks children at any moment of its work; each must compute right, and change nothing of its
parent's. Prints "done"."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
from fastnn._kernels.turns import runs

import fastnn as fn
from fastnn import nn
from fastnn.runtime.locks import process_lock

context = multiprocessing.get_context("fork")
x = np.random.default_rng(0).standard_normal((32, 3, 32, 32)).astype(np.float32)
y = np.arange(32) % 10


def large():
    """A net whose weights and arena are maps of their own, not of the heap."""
    fn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 32, 3), nn.Flatten(), nn.Linear(28800, 100), nn.ReLU(),
                         nn.Linear(100, 10))


def run(*functions):
    """Each function in a child of its own, all at once; they must return None or True."""

    def child(function):
        os._exit(function() not in (None, True))

    children = [context.Process(target=child, args=(function,)) for function in functions]
    for each in children:
        each.start()
    for each in children:
        each.join(120)
        assert each.exitcode == 0, each.exitcode


def training(model):
    return fn.TrainStep(model, nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def children_infer_and_train():
    alike = training(large())
    losses = [alike(x, y) for _ in range(3)]
    model = large()
    step, reference = training(model), model(x)
    before = {name: value.copy() for name, value in model.state_dict().items()}

    def infer():
        return np.array_equal(model(x), reference)

    def train():
        return [step(x, y) for _ in range(3)] == losses

    def train_and_fork():
        train()
        run(lambda: not infer())  # the grandchild has the weights of its own parent

    for _ in range(3):
        run(infer, infer, train, infer, train)
    run(train_and_fork, lambda: run(infer, train))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert infer() and train()


def children_of_a_busy_parent():
    """Forks while another thread is somewhere in a step, or in a function of the user's."""

    class Wait(fn.Function):
        @staticmethod
        def forward(ctx, value):
            threading.Event().wait(0.002)
            return value

        @staticmethod
        def backward(ctx, dy):
            return dy

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = large()

        def forward(self, value):
            return Wait.apply(self.inner(value))

    model, stop = Slow(), threading.Event()
    step = training(model)
    fixed = large().eval()
    reference = fixed(x)
    done = count()

    def work():
        while not stop.is_set():
            step(x, y)
            fixed(x[:next(done) % 30 + 1])  # new plans, too

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(12):
            run(lambda: np.array_equal(fixed(x), reference),
                lambda: np.isfinite(step(x, y)) and bool(np.isfinite(model(x)).all()))
    finally:
        stop.set()
        worker.join()


def children_of_inferences():
    """Forks while other threads infer side by side."""
    fn.set_num_threads(1)
    model, stop = large().eval(), threading.Event()
    step, images = training(large()), [x[i:i + 4] for i in range(0, 32, 4)]
    references = [model(image) for image in images]

    def infer(number):
        return np.array_equal(model(images[number]), references[number])

    def work(number):
        while not stop.is_set():
            assert infer(number)

    def infer_in_threads():
        assert not runs.queue and not runs.called  # the parent's threads
        with ThreadPoolExecutor(4) as pool:
            return all(pool.map(infer, range(8)))

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(work, number) for number in range(8)]
        try:
            for _ in range(12):
                run(infer_in_threads, lambda: np.isfinite(step(x, y)) and infer(0))
        finally:
            stop.set()
        for worker in workers:
            worker.result()
    fn.set_num_threads(2)


def a_function_that_forks():
    """The child of a function goes on with the run that it was forked from."""
    model = large().eval()
    reference = model(x)

    class Fork(fn.Function):
        @staticmethod
        def forward(ctx, value):
            run(lambda: np.array_equal(model(x), reference))
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
                assert status == 0
            return value + (1 if child else 2)

    class Outer(nn.Module):
        def forward(self, value):
            return fn.relu(Fork.apply(value * 2)) * 3

    parent = os.getpid()
    result = Outer()(x)
    expected = np.maximum(x * 2 + (1 if os.getpid() == parent else 2), 0) * 3
    right = np.allclose(result, expected, atol=1e-5)
    if os.getpid() != parent:
        os._exit(not right)
    assert right


def kept_arrays_stay():
    """Weights, results and optimizer state that the parent holds are the child's as well."""
    model = large()
    out, state = model(x), {name: value.copy() for name, value in model.state_dict().items()}
    expected = out.copy()

    def look():
        return np.array_equal(out, expected) and all(
            np.array_equal(value, state[name]) for name, value in model.state_dict().items())

    with process_lock:  # the thread that forks may have the lock
        run(look, look)


if __name__ == "__main__":
    fn.set_num_threads(2)
    children_infer_and_train()
    children_of_a_busy_parent()
    children_of_inferences()
    a_function_that_forks()
    kept_arrays_stay()
    print("done")
