"""Plans in evaluation mode keep what depends on parameters alone, until a parameter may change."""

import threading

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine import inference
from fastnn.engine.inference import inference_of
from fastnn.engine.memory_limit import within
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.shared import free_memory
from tests.nets import NETS, batch_for, make


class Block(nn.Module):
    """A convolution, a norm, and a weight that is computed from a parameter."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.scale = nn.Parameter(np.linspace(0, 1, 32))

    def forward(self, x):
        return self.norm(self.conv(x)) * fn.exp(self.scale).reshape((1, 32, 1, 1))


def block():
    fn.manual_seed(0)
    return Block().eval()


X = np.random.default_rng(0).standard_normal((1, 32, 8, 8)).astype(np.float32)


def kept_by(model):
    return inference_of(model)._cache._last[1].kept


def fresh(model):
    """The output of a new model with the same state."""
    other = type(model)().eval()
    other.load_state_dict(model.state_dict())
    return other(X)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_the_bits_of_plans_that_keep_nothing(name, threads, monkeypatch):
    fn.set_num_threads(threads)
    x, _ = batch_for(name, 2)
    net = make(name).eval()
    outputs = [net(x), net(x)]
    monkeypatch.setattr(inference, "may_take", lambda more: False)
    other = make(name).eval()
    other.load_state_dict(net.state_dict())
    expected = other(x)
    assert kept_by(other) is None
    for output in outputs:
        np.testing.assert_array_equal(output, expected)


def test_weights_are_packed_once(monkeypatch):
    model = block()
    model(X)
    kept, calls = kept_by(model), []
    compute = kept._compute
    monkeypatch.setattr(kept, "_compute", lambda: calls.append(compute()))
    for _ in range(3):
        model(X)
    assert not calls
    model.conv.weight.data *= 2
    for _ in range(3):
        model(X)
    assert len(calls) == 1


def _write_through_data(model):
    model.conv.weight.data[...] *= 2


def _set_data(model):
    model.scale.data = np.ones(32)


def _load(model):
    model.load_state_dict({name: value * 2 for name, value in model.state_dict().items()})


def _train(model):
    step = fn.TrainStep(model.train(), nn.MSELoss(), optim.SGD(model.parameters(), lr=1))
    step(X, np.zeros_like(X))
    model.eval()


def _running_statistics(model):
    model.train()(X)
    model.eval()


def _buffer(model):
    model.norm.running_var.data[...] = 7


@pytest.mark.parametrize("change", [_write_through_data, _set_data, _load, _train,
                                    _running_statistics, _buffer])
def test_a_change_is_seen(change):
    model = block()
    before = model(X)
    change(model)
    after = model(X)
    assert (before != after).any()
    np.testing.assert_array_equal(after, fresh(model))


@pytest.mark.parametrize("view", [lambda array: array, lambda array: array[3:, 1:2].T,
                                  memoryview], ids=["array", "view", "memoryview"])
def test_an_array_that_a_user_holds_may_be_written_to_at_any_time(view):
    model = block()
    held = view(model.conv.weight.data)
    model(X)
    for _ in range(2):
        np.asarray(held)[...] += 1
        np.testing.assert_array_equal(model(X), fresh(model))
    np.asarray(held)[...] += 1
    del held
    np.testing.assert_array_equal(model(X), fresh(model))


@pytest.mark.parametrize("fold", [False, True])
def test_plans_for_other_batches_share_the_memory(fold):
    model, other = block().eval(fold), block().eval(fold)
    x = np.concatenate([X] * 70)[:, :, :5]
    outputs = [model(X), model(X[:, :, :5]), model(x)]
    first, *others = inference_of(model)._cache._kept.values()
    for plan in others:
        for a, b in zip(first.kept._kept, plan.kept._kept, strict=True):
            assert (a.memory is b.memory) == (a.key == b.key)
        assert any(a.memory is b.memory for a, b in zip(first.kept._kept, plan.kept._kept,
                                                        strict=True))
    for value in (model.conv.weight, model.norm.running_var):
        value.data *= 2
    other.load_state_dict(model.state_dict())
    for batch, before in zip((X, X[:, :, :5], x), outputs, strict=True):
        after = model(batch)
        assert (after != before).any()
        np.testing.assert_array_equal(after, other(batch))


def test_a_long_computation_of_a_weight():
    class Powers(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.full((4, 3), 0.999, np.float32))

        def forward(self, x):
            weight = self.weight
            for _ in range(60):
                weight = weight * weight / weight
            return fn.linear(x, weight)

    model = Powers().eval()
    np.testing.assert_allclose(model(np.ones((1, 3), np.float32)), np.full((1, 4), 2.997), 1e-4)
    assert kept_by(model) is not None


def test_values_are_computed_one_after_the_other():
    """So folding needs memory for one weight, not for all."""
    layers = [layer for _ in range(6) for layer in (nn.Conv2d(64, 64, 3, padding=1),
                                                    nn.BatchNorm2d(64))]
    model = nn.Sequential(*layers).eval(fold=True)
    model(np.ones((1, 64, 8, 8), np.float32))
    arena = inference_of(model)._cache._last[1]._values.plan.layout.arena_bytes
    assert arena < 3 * 64 * 64 * 9 * 4


def test_values_that_may_differ_from_run_to_run_are_not_kept():
    beta = fn.Variable(1.0)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones(3))

        def forward(self, x):
            return x * (self.weight * beta)

    model, x = Scaled().eval(), np.ones((1, 3), np.float32)
    assert model(x).sum() == 3
    beta.value = 2
    assert model(x).sum() == 6


def test_nothing_is_kept_where_it_does_not_fit_a_budget():
    model = nn.Sequential(*(nn.Conv2d(512, 512, 3, padding=1) for _ in range(3))).eval()
    x = np.ones((1, 512, 4, 4), np.float32)
    expected = model(x)
    assert kept_by(model) is not None
    free_memory()
    with within(resident_bytes() + (20 << 20)):  # each layer's packed weights take 9 MB
        np.testing.assert_array_equal(model(x), expected)
        assert kept_by(model) is None
    with within(resident_bytes() + (200 << 20)):
        np.testing.assert_array_equal(model(x), expected)
        assert kept_by(model) is not None


def test_a_training_step_in_a_budget_is_planned_without_what_others_keep():
    model, other = block(), block()
    expected = model(X)
    kept = kept_by(model)
    step = fn.TrainStep(other, nn.MSELoss(), optim.SGD(other.parameters(), lr=1), "4GiB")
    step(X, X)
    assert all(memory.memory is None for memory in kept._kept)
    np.testing.assert_array_equal(model(X), expected)
    assert kept_by(model) is not kept


def test_a_plan_keeps_its_values_while_it_runs():
    class Planner(fn.Function):
        @staticmethod
        def forward(ctx, x):
            free_memory()
            return x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(32, 32, 3), nn.Conv2d(32, 32, 3)

        def forward(self, x):
            return self.second(Planner.apply(self.first(x)))

    model = Net().eval()
    np.testing.assert_array_equal(model(X), model(X))


def test_threads_side_by_side_see_a_change():
    fn.set_num_threads(1)
    models, done, wrong = [block(), block()], threading.Event(), []
    models[1].conv.weight.data *= 2
    allowed = [model(X).tobytes() for model in models]
    model = block()

    def infer():
        while not done.is_set():
            if model(X).tobytes() not in allowed:
                wrong.append(True)

    threads = [threading.Thread(target=infer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        model.load_state_dict(models[number % 2].state_dict())
        last = model(X).tobytes()
        assert last == allowed[number % 2]
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
