"""What an ensemble costs beside one of its members."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from fastnn.nn.module import Module
from fastnn.training.evaluation import in_use

RUNS = 5  # of which the fastest counts


@dataclass(frozen=True)
class Cost:
    """parameters, bytes (of parameters and buffers) and seconds for each example of an ensemble.

    one: the cost of its first member. `print` shows both and what they are of each other.
    """

    parameters: int
    bytes: int
    seconds: float
    one: Cost | None = None

    def __str__(self) -> str:
        if self.one is None:
            return f"{self.parameters:,} parameters, {self.bytes:,} bytes, {self.seconds:.3g} s"
        lines = [f"{'':24}{'ensemble':>14}{'one member':>14}{'times':>8}"]
        for name, ours, its in (("parameters", self.parameters, self.one.parameters),
                                ("bytes", self.bytes, self.one.bytes),
                                ("seconds for an example", self.seconds, self.one.seconds)):
            shown = [f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
                     for value in (ours, its)]
            times = f"{ours / its:.1f}" if its else "-"
            lines.append(f"{name:24}{shown[0]:>14}{shown[1]:>14}{times:>8}")
        return "\n".join(lines)


def cost_of(model: Module, inputs: tuple[Any, ...]) -> Cost:
    """The cost of a model, measured with a batch: the fastest of a few runs in eval mode."""
    with in_use(model):
        model(*inputs)  # makes the plan
        seconds = []
        for _ in range(RUNS):
            started = time.perf_counter()
            model(*inputs)
            seconds.append(time.perf_counter() - started)
    parameters = list(model.parameters())
    stored = [*parameters, *model.buffers()]
    return Cost(sum(parameter.size for parameter in parameters),
                sum(value.memory.nbytes for value in stored), min(seconds) / len(inputs[0]))
