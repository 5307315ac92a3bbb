"""Run under `count_allocations.c`: what windows of steady training steps take, as JSON lines.

    LD_PRELOAD=count_allocations.so python tests/runtime/steady.py 1 2
"""

import ctypes
import gc
import json
import resource
import sys

import numpy as np

import fastnn as fn

NETS, WARM_UP, WINDOWS, STEPS = ("lenet", "cnn", "mlp"), 5, 6, 10


def preloaded() -> ctypes.CDLL:
    """The counter's functions."""
    counter = ctypes.CDLL(None)
    counter.count_calls.restype = counter.count_largest.restype = ctypes.c_long
    return counter


def measure(name: str, threads: int) -> dict[str, object]:
    """Page faults and calls of the allocator in each window, and the largest call's bytes."""
    fn.set_num_threads(threads)
    model = fn.models.create(name, 10, 1, (28, 28))
    optimizer = fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 64)
    for _ in range(WARM_UP):
        step(x, y)
    counter = preloaded()
    gc.collect()
    faults, calls, largest = [0] * WINDOWS, [0] * WINDOWS, [0] * WINDOWS
    for window in range(WINDOWS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        counter.count_start()
        for _ in range(STEPS):
            step(x, y)
        counter.count_stop()
        faults[window] = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        calls[window], largest[window] = counter.count_calls(), counter.count_largest()
    return {"net": name, "threads": threads, "planned": step.plan(x.shape).threads,
            "faults": faults, "calls": calls, "largest": largest}


if __name__ == "__main__":
    for threads in map(int, sys.argv[1:]):
        for name in NETS:
            print(json.dumps(measure(name, threads)), flush=True)
