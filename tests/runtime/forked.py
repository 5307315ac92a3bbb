"""Trains, forks, and trains on in parent and children; they must end with the same losses."""

import multiprocessing
import os

import numpy as np

import fastnn as fn


def train(step, x, y):
    """(losses, threads) of three steps from where the process is."""
    return [step(x, y) for _ in range(3)], fn.get_num_threads()


def main():
    fn.set_num_threads(2)
    model = fn.models.create("lenet", 10, 1, (28, 28))
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 32)
    assert step.plan(x.shape).threads == 2
    for _ in range(3):
        step(x, y)
    old_program = step._compiled.executor

    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child(deeper):
        old_program.compute()  # planned for two threads, before the fork
        if deeper:
            fn.set_num_threads(2)
        queue.put(train(step, x, y))
        if deeper:
            grandchild = context.Process(target=child, args=(False,))
            grandchild.start()
            grandchild.join()
            os._exit(grandchild.exitcode)

    first = context.Process(target=child, args=(False,))
    second = context.Process(target=child, args=(True,))
    for process in (first, second):
        process.start()
        process.join()
        assert process.exitcode == 0
    results = [queue.get() for _ in range(3)]
    expected, threads = train(step, x, y)
    assert threads == 2
    assert all(threads == 1 for _, threads in results)
    assert results[0][0] == results[1][0] == expected
    assert results[2][0] != expected  # the grandchild goes on from where its parent was
    print("done")


if __name__ == "__main__":
    main()
