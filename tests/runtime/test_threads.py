"""How many threads: the setting, the environment, the machine."""

import hashlib
import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import fastnn as fn
from fastnn.runtime import threads


def test_set_and_get():
    fn.set_num_threads(3)
    assert fn.get_num_threads() == 3


@pytest.mark.parametrize(("value", "error"), [
    (0, ValueError), (-1, ValueError), (threads.MAX_THREADS + 1, ValueError), (1.0, TypeError),
    ("2", TypeError), (True, TypeError), (None, TypeError)])
def test_bad_numbers(value, error):
    with pytest.raises(error, match="number of threads"):
        fn.set_num_threads(value)


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("5,2", 5), ("99999", 1024)])
def test_environment(monkeypatch, text, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads.default_threads() == expected


@pytest.mark.parametrize("text", ["", "0", "many", "-2"])
def test_nonsense_in_the_environment_is_ignored(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert 1 <= threads.default_threads() <= os.cpu_count()


def test_threadpoolctl_bounds_the_team():
    for chosen, limit, expected in ((5, 1, 1), (1, 3, 1), (7, 6, 6)):
        fn.set_num_threads(chosen)
        with threadpool_limits(limit):
            assert fn.get_num_threads() == expected
        assert fn.get_num_threads() == chosen


def test_without_a_number_of_ours_threadpoolctl_decides(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setattr(threads, "_default", 4)
    with threadpool_limits(3):
        assert fn.get_num_threads() == 3
    with threadpool_limits(9):
        assert fn.get_num_threads() == 4


def test_what_is_set_under_a_limit_holds():
    with threadpool_limits(1):
        fn.set_num_threads(2)
        assert fn.get_num_threads() == 2


def test_threadpoolctl_sees_our_openmp():
    assert any(entry["user_api"] == "openmp" for entry in threadpool_info())


def test_plans_follow_the_limit():
    fn.set_num_threads(2)
    model = fn.models.create("lenet", 10, 1, (28, 28))
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    with threadpool_limits(1):
        assert step.plan((64, 1, 28, 28)).threads == 1
    assert step.plan((64, 1, 28, 28)).threads == 2


def _digest_after_20_steps(name, count):
    fn.manual_seed(0)
    fn.set_num_threads(count)
    model = fn.models.create(name, 10, 1, (28, 28))
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 20)
    assert step.plan(x.shape).threads == count
    digest = hashlib.sha256()
    for _ in range(20):
        digest.update(np.float64(step(x, y)).tobytes())
    for value in model.state_dict().values():
        digest.update(value.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", ["lenet", "cnn"])  # cnn has batch norm and dropout
def test_the_same_bits_after_20_steps_at_any_number_of_threads(name):
    one = _digest_after_20_steps(name, 1)
    for count in (2, 3, 4):
        assert _digest_after_20_steps(name, count) == one, f"{count} threads"
