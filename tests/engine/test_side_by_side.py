"""Inferences of several Python threads, side by side on one thread of the engine each."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep
from weakref import ref

import numpy as np
import pytest
from fastnn._kernels.turns import runs

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine import side_by_side
from fastnn.engine.inference import inference_of
from fastnn.engine.memory_limit import within
from fastnn.runtime import shared
from fastnn.runtime.locks import process_lock
from fastnn.runtime.process_memory import resident_bytes
from tests.fresh import in_a_fresh_process
from tests.nets import batch, batch_for, make
from tests.threads import in_threads

CALLS = 40


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    """As if there were four cores."""
    monkeypatch.setattr(side_by_side, "most_at_once", lambda: 4)
    shared.spares.clear()


def slow(width=32):
    """A net that takes a few milliseconds for a batch of 8."""
    return nn.Sequential(nn.Conv2d(2, width, 3, padding=1), nn.ReLU(),
                         *(nn.Conv2d(width, width, 3, padding=1) for _ in range(4)),
                         nn.Flatten(), nn.Linear(width * 64, 4)).eval()


@contextmanager
def watched():
    """The most runs that were seen in progress at once, in a list of one."""
    most, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            most[0] = max(most[0], runs.count)
            sleep(0.0002)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield most
        finally:
            done.set()
            watching.result(60)


def last_plan(model):
    return inference_of(model)._cache._last[1]


def test_they_run_at_the_same_time_and_have_the_same_bits():
    model = slow()
    xs = [batch(8, seed)[0] for seed in range(8)]
    expected = [model(x) for x in xs]

    def infer(number):
        return all(np.array_equal(model(xs[number]), expected[number]) for _ in range(CALLS))

    with watched() as most:
        assert in_threads(infer, 8) == [True] * 8
    assert 2 <= most[0] <= 4 and runs.count == 0
    assert 1 <= len(shared.spares) <= 3
    assert len(inference_of(model)._cache._kept) == 1  # lanes are not planned anew


def test_several_models_and_shapes_at_once():
    nets = [make("residual"), make("dense"), make("mlp"), slow()]
    names = ["residual", "dense", "mlp", "residual"]
    for net in nets:
        net.eval()
    cases = [(net, batch_for(name, count)[0]) for net, name in zip(nets, names, strict=True)
             for count in (1, 3, 8)]
    expected = [net(x) for net, x in cases]

    def infer(number):
        rng = np.random.default_rng(number)
        return all(np.array_equal(cases[i][0](cases[i][1]), expected[i])
                   for i in rng.integers(0, len(cases), 5 * CALLS))

    assert in_threads(infer, 8) == [True] * 8


def test_arrays_that_have_to_be_converted():
    """Of another dtype and layout; and in nested tuples, with results in such."""

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = slow(8)

        def forward(self, pair, z):
            x, y = pair
            return (self.net(x), x.mean()), (y * z,)

    model = Pair().eval()
    x = batch(8)[0].astype(np.float64)
    y = np.arange(6.0).reshape(2, 3).T
    expected = model((x, y), y)

    def infer(number):
        for _ in range(CALLS):
            (out, mean), (product,) = model((x, y), y)
            assert np.array_equal(out, expected[0][0]) and mean == expected[0][1]
            assert np.array_equal(product, expected[1][0]) and mean.shape == ()

    in_threads(infer, 4)


@pytest.mark.parametrize("change", ["load_state_dict", "step", "data"])
def test_weights_change_in_the_midst(change):
    """Each result is that of the weights before or after, and later ones never of earlier ones."""
    fn.manual_seed(0)
    model, x, y = slow(), *batch(8)
    states = [{name: value * (1 + i / 4) for name, value in model.state_dict().items()}
              for i in range(8)]
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-3))

    def to(number):
        if change == "step":
            step(x, y)
        elif change == "data":
            for name, parameter in model.named_parameters():
                parameter.data = states[number][name]
        else:
            model.load_state_dict(states[number])

    first = {name: value.copy() for name, value in model.state_dict().items()}
    expected = [model(x)]
    for number in range(1, 8):
        to(number)
        expected.append(model(x))
    assert len({each.tobytes() for each in expected}) == 8
    model.load_state_dict(first)
    done = threading.Event()

    def act(thread):
        if thread == 0:
            for number in range(1, 8):
                sleep(0.01)
                if change == "data":  # the user's to order
                    with process_lock:
                        to(number)
                else:
                    to(number)
            done.set()
            return
        seen = []
        while not done.is_set():
            out = model(x)
            seen.append(next(i for i, each in enumerate(expected) if np.array_equal(out, each)))
        assert seen == sorted(seen)

    in_threads(act, 8)
    np.testing.assert_array_equal(model(x), expected[-1])


def test_whoever_holds_the_lock_is_alone():
    model, x = slow(), batch(8)[0]
    model(x)
    done = threading.Event()

    def act(number):
        if number:
            while not done.is_set():
                model(x)
            return
        for _ in range(CALLS):
            with process_lock:
                assert runs.count == 0
                sleep(0.001)
                assert runs.count == 0
            process_lock.acquire()
            assert runs.count == 0
            process_lock.release()
            if process_lock.acquire(blocking=False):
                assert runs.count == 0
                process_lock.release()
        done.set()

    in_threads(act, 4)


def test_the_number_of_threads_changes_in_the_midst():
    model, x = slow(), batch(8)[0]
    expected = model(x)

    def act(number):
        for i in range(CALLS):
            if not number:
                fn.set_num_threads(1 + i % 2)
            assert np.array_equal(model(x), expected)

    in_threads(act, 8)


def test_teams_of_several_threads_take_turns():
    fn.set_num_threads(2)
    model, x = slow(), batch(8)[0]
    with watched() as most:
        in_threads(lambda number: [model(x) for _ in range(CALLS)])
    assert most[0] == 0 and not shared.spares


@pytest.mark.parametrize("kind", ["draws", "updates", "python", "blas", "a parameter", "an input"])
def test_what_has_to_run_alone(kind):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.weight = slow(8), nn.Parameter(np.ones(3))

        def forward(self, x):
            extra = {"draws": lambda: fn.dropout(x), "python": lambda: Same.apply(x),
                     "updates": lambda: x, "blas": lambda: x, "a parameter": lambda: self.weight,
                     "an input": lambda: x.flatten(1)}[kind]()
            return self.net(x), extra

    class Same(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x + 1

    model = Net()
    if kind == "updates":
        model.net.append(nn.BatchNorm1d(4))
    if kind == "blas":
        fn.set_conv_algorithm("blas")
    try:
        x = batch(8)[0]
        x = x.reshape(8, -1) if kind == "an input" else x
        model = nn.Flatten() if kind == "an input" else model
        model(x)
        with watched() as most:
            in_threads(lambda number: [model(x) for _ in range(CALLS)])
        assert most[0] == 0
    finally:
        fn.set_conv_algorithm("auto")


def test_an_error_in_one_thread_leaves_the_others_alone():
    model, x = slow(), batch(8)[0]
    bad, expected = x.copy(), model(x)
    bad[3, 1, 2, 2] = np.nan

    def act(number):
        for _ in range(CALLS):
            if number % 4 == 0:
                with pytest.raises(fn.NonFiniteError, match=r"input 0 .*\[3, 1, 2, 2\]"):
                    model(bad)
            elif number % 4 == 1:
                with pytest.raises(fn.ShapeError):
                    model(x[:, :1])
            else:
                assert np.array_equal(model(x), expected)

    in_threads(act, 8)
    assert runs.count == 0 and not process_lock.is_mine()


def test_finalizers_that_use_models():
    """Python calls them in any thread, at any time: also as one begins and ends a run."""
    model, other, x = slow(8), make("residual").eval(), batch(8)[0]
    expected, expected_other = model(x), other(x)
    wrong = []

    class Late:
        def __init__(self):
            self.me = self  # for the collector

        def __del__(self):
            if not (np.array_equal(model(x), expected) and np.array_equal(other(x),
                                                                          expected_other)):
                wrong.append(self)

    def act(number):
        for _ in range(CALLS):
            Late()
            assert np.array_equal(model(x), expected)

    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        in_threads(act, 8)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert not wrong


def test_a_function_that_waits_for_inferences_of_other_threads():
    inner, x = slow(8), batch(8)[0]
    expected = inner(x)

    class Ask(fn.Function):
        @staticmethod
        def forward(ctx, value):
            found = in_threads(lambda number: inner(x), 4)
            assert all(np.array_equal(each, expected) for each in found)
            return value

    class Outer(nn.Module):
        def forward(self, value):
            return Ask.apply(value * 2.0)

    outer = Outer().eval()
    for _ in range(3):
        np.testing.assert_array_equal(outer(x), x * 2)


def test_inputs_are_let_go_and_results_are_the_callers():
    model, x = slow(8), batch(8)[0]
    known = ref(x)
    first = model(x)
    kept = first.copy()
    second = model(-x)
    assert first.flags.writeable and first.flags.owndata and not np.array_equal(first, second)
    np.testing.assert_array_equal(first, kept)
    del x
    assert known() is None


def test_a_lane_that_is_in_use_takes_nothing():
    model, x = slow(8), batch(8)[0]
    model(x)
    lane = last_plan(model).lane
    with process_lock:
        lane.arena.busy = True
        assert lane.run((x,)) is None and process_lock.is_mine() and runs.count == 0
        lane.arena.busy = False
        assert lane.run((x[:2],)) is None
        assert lane.run(((x,),)) is None and process_lock.is_mine()
    process_lock.acquire()
    assert len(lane.run((x,))) == 1
    assert not process_lock.is_mine() and not lane.arena.busy
    assert lane.arena.is_owner(lane.executor)


def test_spare_arenas_are_freed(monkeypatch):
    model, x = slow(), batch(8)[0]
    model(x)

    def make_some():
        for _ in range(20):
            in_threads(lambda number: [model(x) for _ in range(10)])
            if shared.spares:
                return ref(next(iter(shared.spares[0].users.values())).executor)
        raise AssertionError("no two inferences met")

    lane = make_some()
    monkeypatch.setattr(side_by_side, "ALONE", 5)
    for _ in range(5):
        model(x)
    assert not shared.spares and lane() is None
    monkeypatch.setattr(side_by_side, "ALONE", 1000)
    lane = make_some()
    with within("1GiB"):
        model(x)
    assert not shared.spares and lane() is None
    lane = make_some()
    inference_of(model)._cache.clear()
    assert lane() is None


@in_a_fresh_process
def test_a_budget_that_admits_one_executor():
    side_by_side.most_at_once = lambda: 4
    model, x = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.ReLU(),
                             nn.Conv2d(64, 2, 3, padding=1)).eval(), batch(500)[0]
    expected = model(x)
    arena = last_plan(model).executor.arena_bytes
    assert arena > 8 << 20
    shared.free_memory()
    limit = resident_bytes() + arena * 3 // 2 + (4 << 20)

    def infer(number):
        with within(limit):
            return all(np.array_equal(model(x), expected) for _ in range(20))

    assert in_threads(infer, 4) == [True] * 4
    assert not shared.spares
    assert resident_bytes() <= limit
    limit += 10 * arena
    with watched() as most:
        assert in_threads(infer, 4) == [True] * 4
    assert shared.spares and most[0] >= 2
    assert resident_bytes() <= limit


@in_a_fresh_process
def test_the_budget_of_a_step_holds_while_others_infer():
    """Those others know of no budget."""
    side_by_side.most_at_once = lambda: 4
    fn.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.ReLU(), nn.Flatten(),
                        nn.Linear(4096, 4))
    model, (x, y) = slow(64), batch(600)
    expected = model(x)
    step = fn.TrainStep(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.01))
    for _ in range(2):
        step(x, y)
    arena = last_plan(model).executor.arena_bytes
    assert arena > 16 << 20
    limit = step.memory_budget = resident_bytes() + arena * 3 // 4
    step(x, y)

    def act(number):
        for _ in range(10):
            if number:
                assert np.array_equal(model(x), expected)
            else:
                step(x, y)

    in_threads(act, 4)
    assert not shared.spares
    assert resident_bytes() <= limit
    step.memory_budget = None
    in_threads(act, 4)
    assert shared.spares
    assert resident_bytes() > limit
