"""Random shapes of convolutions, pools, norms and linear layers: is any slower than a peer?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastnn.bench.crew import Setting, crew, measure
from fastnn.bench.modes import Mode
from fastnn.bench.ops import result
from fastnn.bench.rows import Row, floats

SLOWER = 1.1  # a pass that takes more than this many times the peer's time is listed
MOST_ELEMENTS, MOST_FLOPS = 1 << 23, 4e9  # so that one shape takes milliseconds
KINDS = ("conv", "conv", "pool", "norm", "linear")


def random_rows(count: int, seed: int) -> list[Row]:
    """The same rows for the same seed; a shorter list is the beginning of a longer one.

    >>> random_rows(3, 0) == random_rows(5, 0)[:3]
    True
    """
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    while len(rows) < count:
        row = MAKERS[KINDS[len(rows) % len(KINDS)]](rng)
        if row is not None:
            rows.append(row)
    return rows


def _size(rng: np.random.Generator, least: int, most: int) -> int:
    """Log-uniform; half of them multiples of 8, as people choose them."""
    size = round(math.exp(rng.uniform(math.log(least), math.log(most))))
    return max(8, size - size % 8) if rng.random() < 0.5 and most >= 8 else size


def _images(rng: np.random.Generator, channels: int) -> tuple[int, int, int]:
    """(batch, height, width) of images that are not too large."""
    while True:
        batch, side = _size(rng, 1, 128), _size(rng, 4, 64)
        width = side if rng.random() < 0.7 else _size(rng, 4, 64)
        if batch * side * width * channels <= MOST_ELEMENTS:
            return batch, side, width


def _conv(rng: np.random.Generator) -> Row | None:
    c, k, groups = _size(rng, 1, 512), _size(rng, 1, 512), 1
    kind = rng.random()
    if kind < 0.15:  # depthwise
        k = groups = c
    elif kind < 0.3:
        groups = int(rng.choice([2, 4, 8]))
        c, k = groups * max(1, c // groups), groups * max(1, k // groups)
    batch, height, width = _images(rng, max(c, k))
    kernel = int(rng.choice([1, 3, 3, 3, 5, 7]))
    arguments = {"stride": int(rng.choice([1, 1, 2])), "padding": int(rng.integers(0, kernel)),
                 "dilation": int(rng.choice([1, 1, 1, 2])), "groups": groups}
    reach = arguments["dilation"] * (kernel - 1) + 1
    if min(height, width) + 2 * arguments["padding"] < reach:
        return None
    flops = 2 * batch * height * width * k * (c // groups) * kernel**2 / arguments["stride"] ** 2
    if flops > MOST_FLOPS:
        return None
    inputs = (floats("N", c, height, width), floats(k, c // groups, kernel, kernel))
    return Row("conv2d", (*inputs, floats(k)) if rng.random() < 0.5 else inputs, arguments, batch)


def _pool(rng: np.random.Generator) -> Row | None:
    channels = _size(rng, 1, 512)
    batch, height, width = _images(rng, channels)
    x = floats("N", channels, height, width)
    if rng.random() < 0.2:
        return Row("adaptive_avg_pool2d", (x,), {"output_size": int(rng.integers(1, 5))}, batch)
    kernel = int(rng.integers(2, 5))
    arguments = {"kernel_size": kernel, "stride": int(rng.integers(1, kernel + 1)),
                 "padding": int(rng.integers(0, kernel // 2 + 1))}
    return Row("max_pool2d" if rng.random() < 0.6 else "avg_pool2d", (x,), arguments, batch)


def _norm(rng: np.random.Generator) -> Row:
    channels = _size(rng, 1, 512)
    if rng.random() < 0.25:
        batch, x = _size(rng, 2, 1024), floats("N", channels)
    else:
        batch, height, width = _images(rng, channels)
        x = floats("N", channels, height, width)
    return Row("batch_norm", (x, None, None, floats(channels), floats(channels)),
               {"training": True}, batch)


def _linear(rng: np.random.Generator) -> Row:
    inputs, outputs = _size(rng, 1, 2048), _size(rng, 1, 2048)
    return Row("linear", (floats("N", inputs), floats(outputs, inputs), floats(outputs)),
               batch=_size(rng, 1, 512))


MAKERS: dict[str, Callable[[np.random.Generator], Row | None]] = {
    "conv": _conv, "pool": _pool, "norm": _norm, "linear": _linear}


def measure_sweep(
    rows: dict[int, Row], modes: list[Mode], setting: Setting
) -> Iterator[dict[str, Any]]:
    """The figures of each numbered row, as soon as they are there."""
    with crew(setting, modes) as workers:
        for number, row in rows.items():
            yield {"number": number,
                   **result(row, measure(workers, {"row": row.request()}, setting))}


def slower(results: list[dict[str, Any]], factor: float = SLOWER) -> list[dict[str, Any]]:
    """The passes in which fastnn took more than `factor` times as long as a peer."""
    return [{"number": one["number"], "row": one["row"], "pass": name, "mode": mode,
             "times": 1 / times["median"]}
            for one in results for name, figures in one["passes"].items()
            for mode, times in figures["ratio"].items() if times["median"] * factor < 1]


def table(results: list[dict[str, Any]]) -> str:
    """Each pass that is slower than a peer, the failures, and the totals."""
    slow = slower(results)
    lines = [f"{one['number']:4d} {one['row']:70s} {one['pass']:8s} "
             f"{one['times']:.2f} times the time of {one['mode']}" for one in slow]
    lines += [f"{one['number']:4d} {one['row']:70s} {error}"
              for one in results for error in one["errors"].values()]
    passes = sum(len(one["passes"]) for one in results)
    shapes = len({one["number"] for one in slow})
    lines.append(f"{len(results)} shapes, {passes} passes: {shapes} shapes slower than {SLOWER} "
                 f"times a peer, in {len(slow)} passes")
    lines += [f"{name}: fastnn is {total:.2f}x as fast in all, by the geometric mean"
              for name, total in geometric_means(results).items()]
    return "\n".join(lines)


def geometric_means(results: list[dict[str, Any]]) -> dict[str, float]:
    """For each "mode, pass", the geometric mean of the peer's time over fastnn's."""
    logs: dict[str, list[float]] = {}
    for one in results:
        for name, figures in one["passes"].items():
            for mode, times in figures["ratio"].items():
                logs.setdefault(f"{mode}, {name}", []).append(math.log(times["median"]))
    return {name: math.exp(sum(values) / len(values)) for name, values in logs.items()}
