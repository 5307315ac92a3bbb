"""A process that has used threads forks: its children must not wait forever, nor share memory."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from tests.nets import batch, make

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
@pytest.mark.parametrize("script", ["forked", "forked_children"])
def test_children_of_fork(script):
    """Of 32 children that only inferred, 12 once computed something else and 11 crashed."""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-m", f"tests.runtime.{script}"], text=True, cwd=root,
                         capture_output=True, timeout=300)
    assert run.returncode == 0 and run.stdout == "done\n", run.stderr


def _infer(model, x):
    return model(x)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_children_take_models_along(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    model, x = make("residual").eval(), batch()[0]
    expected = model(x)
    with multiprocessing.get_context(method).Pool(2) as pool:
        for found in pool.starmap(_infer, [(model, x)] * 3):
            np.testing.assert_array_equal(found, expected)


SUBINTERPRETER = """
import numpy as np
import fastnn as fn
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
fn.set_num_threads(2)
net = fn.nn.Sequential(fn.nn.Conv2d(3, 16, 3, padding=1), fn.nn.BatchNorm2d(16), fn.nn.ReLU(),
                       fn.nn.MaxPool2d(2), fn.nn.Flatten(), fn.nn.Linear(1024, 10))
x = np.random.default_rng(0).standard_normal((32, 3, 16, 16)).astype(np.float32)
step = fn.TrainStep(net, fn.nn.CrossEntropyLoss(), fn.optim.SGD(net.parameters(), lr=0.0))
first = step(x, np.arange(32) % 10)
inner = interpreters.create()
interpreters.run_string(inner, "pass")
assert step(x, np.arange(32) % 10) == first
interpreters.destroy(inner)
assert step(x, np.arange(32) % 10) == first
print("done")
"""


def test_a_subinterpreter_has_existed():
    run = subprocess.run([sys.executable, "-c", SUBINTERPRETER], text=True, capture_output=True,
                         timeout=120)
    if "No module named" in run.stderr:
        pytest.skip("this Python has no subinterpreters")
    assert run.returncode == 0 and run.stdout == "done\n", run.stderr


@needs_fork
def test_large_memory_is_private():
    array = fn.runtime.arena.aligned_array((3 << 20,), np.uint8)
    child = os.fork()
    if child == 0:
        array[...] = 7
        os._exit(0)
    os.waitpid(child, 0)
    assert not array.any()
