"""The arena that plans share."""

import threading

import numpy as np
import pytest

import fastnn as fn
from fastnn.runtime.shared import Arena, free_arena
from tests.nets import batch, make


class User:
    def move(self, memory):
        self.memory = memory


def test_it_is_as_large_as_the_largest_user_needs_and_dies_with_the_last():
    arena, small, large = Arena(), User(), User()
    arena.join(small, 100)
    arena.join(large, 5000)
    assert small.memory is large.memory and small.memory.nbytes == 5000
    with arena.lend(small):
        assert arena.busy and arena.is_owner(small) and arena.resident_bytes == 100
    with arena.lend(large):
        pass
    assert arena.resident_bytes == 5000 and not arena.is_owner(small)
    arena.join(User(), 9000)
    assert large.memory.nbytes == 9000 and not arena.is_owner(large)
    arena.leave(large)
    del large
    arena.join(small, 100)
    assert small.memory.nbytes == 100 and arena.resident_bytes == 0
    del small
    assert arena.resident_bytes == 0


def test_several_shapes_take_the_memory_of_the_largest():
    model = make("residual")
    optimizer = fn.optim.SGD(model.parameters(), lr=0.01)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    used = []
    for count in (6, 1500, 1000, 1500, 6):
        step(*batch(count))
        used.append(step._compiled.executor)
    model.eval()(batch(1000)[0])
    assert len(set(used)) == 3
    assert len({id(executor.memory(None)) for executor in used}) == 1
    assert used[0].memory(None).nbytes >= max(executor.arena_bytes for executor in used)


def test_an_output_is_not_read_after_another_plan_ran():
    model = make("residual")
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1),
                        keep_output=True)
    x, y = batch()
    step(x, y)
    assert step.output.shape == (6, 4)
    model(x)
    with pytest.raises(RuntimeError, match="output is gone"):
        _ = step.output


def test_a_model_called_inside_of_a_plan_has_memory_of_its_own():
    inner = make("residual").eval()
    x, _ = batch()
    expected = x * inner(x).sum()

    class Ask(fn.Function):
        @staticmethod
        def forward(ctx, value):
            return value * inner(np.array(value)).sum()

        @staticmethod
        def backward(ctx, dy):
            return np.zeros_like(x)

    class Outer(fn.nn.Module):
        def forward(self, value):
            return fn.tanh(value).sum((1, 2, 3)), Ask.apply(value)

    outer = Outer()
    for _ in range(2):
        total, answer = outer(x)
        np.testing.assert_array_equal(answer, expected)
        np.testing.assert_allclose(total, np.tanh(x).sum((1, 2, 3)), rtol=1e-4, atol=1e-4)
    assert not free_arena().busy


def test_threads_do_not_share():
    """Steps of two threads, each of its own model, at the same time."""
    x, y = batch(64)[0][:, :, :4, :4].copy(), np.ones((64, 4), np.float32)
    models = [make("mlp") for _ in range(3)]
    found = {}

    def train(number):
        fn.set_num_threads(1)
        model = models[number].eval()
        step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.01))
        found[number] = [step(x, y) for _ in range(200)]

    train(0)
    workers = [threading.Thread(target=train, args=(number,)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found[1] == found[2] == found[0]
