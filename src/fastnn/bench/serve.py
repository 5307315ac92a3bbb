"""One worker: prepares a net or an operation of one peer, and times it when told to.

    python -P serve.py PEER.py THREADS OPTIONS

This file runs alone, with NumPy and the standard library, so that a peer's process holds nothing
of fastnn. PEER.py has a class `Peer(threads, **options)` with a `version` and

    net(name, x, y)            -> (passes, number of parameters)
    inference(name, x)         -> the same for calls in eval mode
    op(bind)                   -> passes; bind(find, make) gives the function to call
    update(name, arrays, arguments) -> passes of an optimizer's step

where passes is {name: function}, run in that order, each timed by itself. Requests are lines of
JSON on the standard input, answers lines of JSON; while it waits it takes no time from others.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Passes = dict[str, Callable[[], Any]]


def batch_for(net: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Random examples and classes, the same in every worker."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((net["batch"], *net["example"])).astype(np.float32)
    return x, rng.integers(0, net["classes"], (net["batch"], *net["target"]))


def sizes(shape: Iterable[Any], batch: int) -> tuple[int, ...]:
    """A shape of a row with its batch put in.

    >>> sizes(["N", 3, 8, 8], 128)
    (128, 3, 8, 8)
    """
    return tuple(batch if size == "N" else int(size) for size in shape)


def array_of(entry: dict[str, Any], batch: int) -> np.ndarray:
    """Random values for an input of a row; the same for the same shape."""
    rng, shape = np.random.default_rng(0), sizes(entry["shape"], batch)
    if entry["kind"] == "classes":
        return rng.integers(0, entry["classes"], shape)
    values = rng.standard_normal(shape)
    return (np.abs(values) + 0.1 if entry["kind"] == "positive" else values).astype(np.float32)


def bind(
    row: dict[str, Any], find: Callable[[str], Callable[..., Any]],
    make: Callable[[dict[str, Any]], Any],
) -> Callable[[], Any]:
    """The function that does a row's work, without arguments; of several results, the first.

    find: from a name to the engine's function. make: from {"kind", "shape", "gradient", ..} to a
    tensor.
    """
    def argument(entry: Any) -> Any:
        if entry is None or "value" in entry:
            return None if entry is None else _plain(entry["value"])
        if "several" in entry:
            return [argument(part) for part in entry["several"]]
        return make(entry)

    first, *rest = [find(name) for name in row["function"].split(">")]
    positional = [argument(entry) for entry in row["inputs"]]

    def run() -> Any:
        value = first(*positional, **row["arguments"])
        for function in rest:
            value = function(value)
        return value[0] if isinstance(value, tuple) else value

    return run


def _plain(value: Any) -> Any:
    """A value as JSON holds it: lists are tuples, {"slice": [start, stop, step]} is a slice."""
    if isinstance(value, dict):
        return slice(*value["slice"])
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def prepare(peer: Any, request: dict[str, Any]) -> tuple[Passes, dict[str, Any]]:
    """Passes for a request, and facts for the answer."""
    if "net" in request:
        passes, parameters = peer.net(request["net"]["name"], *batch_for(request["net"]))
        return passes, {"parameters": parameters}
    if "inference" in request:
        x, _ = batch_for(request["inference"])
        passes, parameters = peer.inference(request["inference"]["name"], x)
        return passes, {"parameters": parameters}
    row = request["row"]
    if row["function"].startswith("optim."):
        arrays = [array_of(entry, row["batch"]) for entry in row["inputs"]]
        return peer.update(row["function"].removeprefix("optim."), arrays, row["arguments"]), {}

    def bound(find: Callable[[str], Callable[..., Any]],
              make: Callable[[np.ndarray, bool], Any]) -> Callable[[], Any]:
        return bind(row, find, lambda entry: make(array_of(entry, row["batch"]),
                                                  entry["gradient"]))

    return peer.op(bound), {}


def timed(passes: Passes, count: int) -> dict[str, list[float]]:
    """Seconds of each of `count` runs of each pass."""
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    clock = time.perf_counter
    for _ in range(count):
        for name, function in passes.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return seconds


def peak_bytes() -> int:
    """The largest resident set of this process so far; 0 where the system does not say."""
    try:
        with open("/proc/self/status") as stream:
            return next(int(line.split()[1]) * 1024 for line in stream if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def load(path: str) -> Any:
    """The module in a file; its neighbours can be imported by it."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("peer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Serve until the standard input ends."""
    path, threads, options = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    passes: Passes = {}

    def attempt(work: Callable[[], dict[str, Any]]) -> None:
        try:
            answer = work()
        except Exception as error:  # whatever fails in a peer is the driver's to report
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)

    peer: Any = None

    def start() -> dict[str, Any]:
        nonlocal peer
        peer = load(path).Peer(int(threads), **json.loads(options))
        return {"version": peer.version}

    def answer() -> dict[str, Any]:
        nonlocal passes
        if "run" in request:
            return {"seconds": timed(passes, request["run"]), "peak_bytes": peak_bytes()}
        passes = {}  # gives its memory back first
        passes, facts = prepare(peer, request)
        return facts

    attempt(start)
    for line in sys.stdin:
        request = json.loads(line)
        attempt(answer)


if __name__ == "__main__":
    main()
