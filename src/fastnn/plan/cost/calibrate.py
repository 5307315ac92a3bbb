"""Measure a machine's rates: time each node of small nets, and fit the rates.

    python -m fastnn.plan.cost.calibrate 2

prints them as JSON. It runs in a process of its own, since a budget counts a process's peak memory;
`rates` starts it once on each machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from fastnn.autodiff import gradients
from fastnn.graph import Graph, Node, Tensor, constant, leaf
from fastnn.ops.batch_norm import batch_norm
from fastnn.ops.conv2d import conv2d
from fastnn.ops.linear import linear
from fastnn.plan.cost.predict import FIXED, START_SECONDS, amounts_of
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.memory.layout import layout
from fastnn.plan.plan import Plan
from fastnn.plan.select import select
from fastnn.runtime.executor import Executor
from fastnn.spec import Spec, storage_shape

PRIOR = 0.01  # the weight of the expected rates, as a share of all time
FASTEST = 4  # no rate is fitted to be more times as fast as expected: noise must not make work free
ROUNDS = 7  # each node's time is the third smallest of so many: interruptions only add to it


def _random(shape: Sequence[int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _weight(*shape: int) -> Tensor:
    return constant(_random(shape) / 10)


def _conv(x: Tensor, outputs: int, size: int, stride: int = 1, groups: int = 1) -> Tensor:
    return conv2d(x, _weight(outputs, x.shape[1] // groups, size, size), None, stride, size // 2,
                  1, groups)


def _norm(x: Tensor) -> Tensor:
    channels = x.shape[1]
    return batch_norm(x, None, None, _weight(channels), _weight(channels), training=True)


def _twice_3x3(x: Tensor) -> Any:
    for _ in range(2):
        x = _norm(_conv(x, x.shape[1], 3)).relu()
    return x


def _residual_blocks(x: Tensor) -> Any:
    for _ in range(6):
        y = _norm(_conv(x, x.shape[1], 3)).relu()
        x = (_norm(_conv(y, x.shape[1], 3)) + x).relu()
    return x


def _widen_and_narrow(x: Tensor) -> Any:
    y = _norm(_conv(x, 4 * x.shape[1], 3)).relu()
    return _conv(y, x.shape[1], 3)


def _bottleneck(x: Tensor) -> Any:
    y = _norm(_conv(x, x.shape[1] // 4, 1)).relu()
    y = _norm(_conv(y, y.shape[1], 3, stride=2)).relu()
    return (_norm(_conv(y, x.shape[1], 1)) + _norm(_conv(x, x.shape[1], 1, stride=2))).relu()


def _depthwise(x: Tensor) -> Any:
    return _norm(_conv(x, x.shape[1], 3, groups=x.shape[1])).relu()


def _dense(x: Tensor) -> Any:
    return linear(x, _weight(x.shape[1], x.shape[1])).relu()


# Typical shapes, small enough for a few milliseconds a node: few and many channels, inside and
# beyond the caches. The blocks keep more for their backward pass than caches hold, as real nets do:
# operands that come from memory cost time even if they are small. Winograd's have an even number of
# chunks (24 tiles): with three, one of two threads would wait, and that would count as the cost of
# products.
MINIATURES: tuple[tuple[Callable[[Tensor], Any], tuple[int, ...]], ...] = (
    (_residual_blocks, (32, 16, 32, 32)),
    (_twice_3x3, (8, 64, 24, 24)),
    (_widen_and_narrow, (48, 16, 32, 32)),
    (_twice_3x3, (16, 256, 12, 12)),
    (_twice_3x3, (96, 256, 4, 4)),
    (_bottleneck, (4, 256, 28, 28)),
    (_bottleneck, (2, 1024, 14, 14)),
    (_depthwise, (8, 64, 28, 28)),
    (lambda x: _conv(x, 6, 5).relu(), (64, 1, 28, 28)),
    (_dense, (128, 1024)),
    (lambda x: _norm(x).relu() + x, (64, 64, 48, 48)),
    (lambda x: _norm(x) + x, (8, 256, 64, 64)),
    (lambda x: _norm(x).relu(), (1, 8, 8, 8)),
)


@dataclass(frozen=True)
class Miniature:
    """A training pass, ready to run node by node."""

    nodes: tuple[Node, ...]
    calls: tuple[int, ...]  # of each node
    executor: Executor


def miniature(build: Callable[[Tensor], Any], shape: tuple[int, ...], threads: int) -> Miniature:
    """A training pass of a function, planned for so many threads."""
    x = leaf("input", 0, Spec(shape))
    loss = build(x).sum()
    leaves = Graph.trace([x], [loss]).leaves()
    graph = fuse(Graph.trace([x], [loss, *gradients(loss, leaves)], (), [loss]))
    steps = select(graph, threads)
    plan = Plan(graph, steps, layout(graph, steps), threads, (), 0, int)
    executor = Executor(*plan.calls(), plan.layout.arena_bytes, {}, graph.inputs, threads)
    executor.bind([_random(storage_shape(shape))])
    return Miniature(graph.nodes, tuple(len(step.calls) for step in steps), executor)


def times(todo: Sequence[Miniature]) -> list[tuple[Node, float]]:
    """Each node's third smallest time, in seconds; views have none."""
    found: dict[Node, list[float]] = {}
    for _ in range(ROUNDS + 1):  # the first warms up
        for each in todo:
            done = 0
            for node, calls in zip(each.nodes, each.calls, strict=True):
                start = time.perf_counter()
                each.executor.run(done, done)
                middle = time.perf_counter()
                each.executor.run(done, done + calls)
                end = time.perf_counter()
                done += calls
                found.setdefault(node, []).append(end - middle - (middle - start))
    return [(node, sorted(spent[1:])[2]) for node, spent in found.items()
            if node.op.view_of(node) is None]


def fit(measured: Sequence[tuple[Node, float]], prior: Mapping[str, float]) -> dict[str, float]:
    """The rates with the least squared errors; those that nodes cannot separate stay near a prior.

    A squared error is divided by the node's time: relative errors would weigh a hundred small nodes
    as much as the nodes that dominate a step, absolute errors would ignore the small ones. The
    prior is scaled to this machine's speed. A rate that is off by 100% counts as much as an error
    of PRIOR of all time (ridge regression, Hoerl and Kennard 1970): Winograd's products and
    transforms grow together, and noise would decide which of them is expensive.
    """
    kinds = list(FIXED)
    rows = np.array([[amounts_of(node).get(kind, 0.0) for kind in kinds] for node, _ in measured])
    seconds = np.array([max(time, 0.0) for _, time in measured])
    expected = np.array([prior[kind] for kind in kinds])
    expected *= seconds.sum() / (rows @ expected).sum()
    weights = 1 / np.sqrt(np.maximum(seconds, 1e-6))
    scale = np.maximum(rows.max(0), 1.0)
    known = np.flatnonzero(expected)
    pull = np.zeros((known.size, len(kinds)))
    pull[np.arange(known.size), known] = 1 / (scale * expected)[known]
    strength = np.sqrt(PRIOR * seconds.sum())
    least = expected / FASTEST
    beyond, _ = nnls(
        np.vstack([rows / scale * weights[:, None], strength * pull]),
        np.concatenate([(seconds - rows @ least) * weights,
                        np.full(known.size, strength * (1 - 1 / FASTEST))]))
    return dict(zip(kinds, (least + beyond / scale).tolist(), strict=True))


def calibrate(threads: int) -> dict[str, Mapping[str, float]]:
    """{"one_thread", "team"}: the rates of one thread and of a team of so many.

    The prior of a team is the rates of one thread, with the time to start a team as its "call".
    """
    todo = {size: [miniature(*each, size) for each in MINIATURES] for size in {1, threads}}
    measured = {size: times(each) for size, each in todo.items()}
    one_thread = fit(measured[1], FIXED)
    if threads == 1:
        return {"one_thread": one_thread, "team": one_thread}
    team = fit(measured[threads], one_thread | {"call": START_SECONDS})
    return {"one_thread": one_thread, "team": team}


if __name__ == "__main__":
    print(json.dumps(calibrate(int(sys.argv[1]))))
