"""BLAS has one thread while a plan calls it, and what it had before afterwards."""

import subprocess
import sys
import threading
from typing import ClassVar

import numpy as np
import pytest
import scipy.linalg.cython_blas  # noqa: F401  loads the library that is limited
from threadpoolctl import ThreadpoolController

import fastnn as fn
from fastnn import nn
from fastnn._kernels.registry import kernel
from fastnn.blas import one_blas_thread

LIBRARIES = ThreadpoolController().select(user_api="blas")


def blas_threads():
    return [entry["num_threads"] for entry in LIBRARIES.info()]


@pytest.fixture
def _two_threads():
    with LIBRARIES.limit(limits=2, user_api="blas"):
        assert blas_threads() and set(blas_threads()) == {2}
        yield


@pytest.mark.usefixtures("_two_threads")
def test_limit_and_restore():
    with one_blas_thread(), one_blas_thread():
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert set(blas_threads()) == {2}


def test_threads_take_turns():
    """threadpoolctl would ignore the second thread's limit while the first one's holds."""
    before, seen = blas_threads(), []
    entered, leave = threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            entered.set()
            leave.wait(30)
            seen.append("first")

    def second():
        entered.wait(30)
        with one_blas_thread():
            seen.append(set(blas_threads()))

    teams = [threading.Thread(target=function) for function in (first, second)]
    for thread in teams:
        thread.start()
    assert entered.wait(30)
    teams[1].join(0.1)
    leave.set()
    for thread in teams:
        thread.join(30)
    assert seen == ["first", {1}]
    assert blas_threads() == before


class Spy(fn.Function):
    """The identity; notes how many threads BLAS has when a plan runs."""

    seen: ClassVar[list[set[int]]] = []

    @staticmethod
    def forward(ctx, x):
        Spy.seen.append(set(blas_threads()))
        return x

    @staticmethod
    def backward(ctx, dy):
        Spy.seen.append(set(blas_threads()))
        return dy


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("algorithm", ["blas", "direct"])
def test_a_function_in_a_plan_has_all_threads(algorithm):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        def forward(self, x):
            return Spy.apply(self.conv(x)).flatten(1)

    model = Net()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 5), dtype=np.float32)
    fn.set_conv_algorithm(algorithm)
    Spy.seen.clear()
    try:
        step(x, np.arange(3))
    finally:
        fn.set_conv_algorithm("auto")
    assert Spy.seen == [{2}, {2}]
    assert set(blas_threads()) == {2}


def test_scipy_is_imported_for_blas_only():
    code = ("import sys; import fastnn; from fastnn._kernels.registry import kernel; "
            "kernel('conv2d_forward'); assert 'scipy.linalg' not in sys.modules; "
            "kernel('blas_forward'); assert 'scipy.linalg' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_unknown_kernels():
    with pytest.raises(KeyError, match="conv3d"):
        kernel("conv3d")
