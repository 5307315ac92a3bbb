"""Embeddings under SGD: the gradient and the update touch the rows that a batch uses, alone."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.ops.take import TakeGrad
from fastnn.ops.update import Update
from fastnn.ops.update_rows import UpdateRows

ROWS, WIDTH = 5000, 8


class Words(nn.Module):
    """The class of a few words."""

    def __init__(self, padding_idx=None):
        super().__init__()
        self.table = nn.Embedding(ROWS, WIDTH, padding_idx=padding_idx)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, words):
        return self.head(self.table(words).mean(1))


def make(padding_idx=None, **options):
    fn.manual_seed(0)
    model = Words(padding_idx)
    return model, fn.TrainStep(model, nn.CrossEntropyLoss(),
                               optim.SGD(model.parameters(), lr=0.5, **options))


RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 40, (16, 4)), RNG.integers(0, 3, 16)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("padding_idx", [None, 3])
def test_the_step_is_that_of_the_whole_table(decay, padding_idx):
    model, step = make(padding_idx, weight_decay=decay)
    before = model.table.weight.data.copy()
    _, grads = fn.value_and_grad(model, nn.CrossEntropyLoss())(X, Y)
    step(X, Y)
    expected = before - np.float32(0.5) * (grads["table.weight"] + np.float32(decay) * before)
    np.testing.assert_allclose(model.table.weight.data, expected, rtol=1e-5, atol=1e-7)
    if not decay:
        unused = np.setdiff1d(np.arange(ROWS), X)
        assert model.table.weight.data[unused].tobytes() == before[unused].tobytes()


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_gradients_that_are_scaled_and_clipped(decay):
    model, step = make(weight_decay=decay, maximize=True)
    before = model.table.weight.data.copy()
    _, grads = fn.value_and_grad(model, nn.CrossEntropyLoss())(X, Y)
    advance, limit = step.optimizer.advance, 2e-3
    step.optimizer.advance = lambda *_: advance(0.5, limit)
    step(X, Y)
    slopes = -0.5 * grads["table.weight"]
    assert (abs(slopes) > limit).any() and (abs(slopes) < limit).any()
    expected = before - 0.5 * (np.clip(slopes, -limit, limit) + decay * before)
    np.testing.assert_allclose(model.table.weight.data, expected, rtol=1e-5, atol=1e-7)


def test_no_tensor_as_large_as_the_table():
    _, step = make()
    step(X, Y)
    ops = [node.op for node in step._compiled.plan.graph.nodes]
    assert any(isinstance(op, UpdateRows) for op in ops)
    assert not any(isinstance(op, TakeGrad) for op in ops)
    assert step._compiled.plan.layout.arena_bytes < ROWS * WIDTH * 4


@pytest.mark.parametrize("make_step", [
    lambda: make(momentum=0.9)[1],
    lambda: fn.TrainStep(model := Words(), nn.CrossEntropyLoss(), optim.Adam(model.parameters()))])
def test_optimizers_that_change_all_rows_get_the_whole_gradient(make_step):
    step = make_step()
    step(X, Y)
    ops = [node.op for node in step._compiled.plan.graph.nodes]
    assert any(isinstance(op, Update) for op in ops)
    assert not any(isinstance(op, UpdateRows) for op in ops)


def test_steps_are_counted_and_saved():
    _, step = make()
    for _ in range(3):
        step(X, Y)
    assert step.optimizer.steps == 3
    assert set(step.optimizer.state_dict()["steps"]) == {3}


def test_threads_give_the_same_bits():
    found = []
    for threads in (1, 2, 3):
        fn.set_num_threads(threads)
        model, step = make()
        for _ in range(3):
            step(X, Y)
        found.append(model.table.weight.data.tobytes())
    assert len(set(found)) == 1


def test_a_gradient_that_is_not_finite_changes_nothing():
    model, _ = make()
    before = model.table.weight.data.copy()
    step = fn.TrainStep(model, lambda output, _: (output * 1e30).sum() * 1e-30 * 1e38 * 10,
                        optim.SGD(model.parameters(), lr=1.0))
    with pytest.raises(fn.NonFiniteError):
        step(X, Y)
    assert model.table.weight.data.tobytes() == before.tobytes()


def test_micro_batches_add_up():
    one, whole = make()
    other, _ = make()
    split = fn.TrainStep(other, nn.CrossEntropyLoss(), optim.SGD(other.parameters(), lr=0.5),
                         accumulate=4)
    whole(X, Y), split(X, Y)
    np.testing.assert_allclose(one.table.weight.data, other.table.weight.data, rtol=1e-5, atol=1e-6)
