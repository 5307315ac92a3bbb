"""The learning rate that each step of a Trainer is made with."""

import math
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import Callback


class Rates(Callback):
    """Rates of the steps, from what the first weight moved by: its gradient is 1 throughout."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.before = 0.0

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        weight = float(trainer.model.weight.data[0, 0])
        self.found.append(self.before - weight)
        self.before = weight


def output_itself(output: Any, target: Any) -> Any:
    return fn.mean(output) + 0.0 * fn.mean(target)


@pytest.mark.parametrize(("make", "expected"), [
    (lambda o: optim.OneCycleLR(o, 0.8, total_steps=8, pct_start=0.5, anneal_strategy="linear",
                                div_factor=4, final_div_factor=1),
     [0.2, 0.4, 0.6, 0.8, 0.65, 0.5, 0.35, 0.2]),
    (lambda o: optim.CosineAnnealingLR(o, 2),
     [(1 + math.cos(math.pi * batch / 8)) / 2 for batch in range(8)]),
    (lambda o: optim.LinearLR(o, 0.5, total_iters=1), [0.5, 0.625, 0.75, 0.875, 1, 1, 1, 1]),
    (lambda o: optim.StepLR(o, 1, 0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
    (lambda o: optim.ExponentialLR(o, 0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
], ids=["one cycle", "cosine", "linear", "step", "exponential"])
def test_each_batch_has_the_rate_of_its_time(make: Any, expected: list[float]) -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data[...] = 0
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    noted = Rates()
    trainer = fn.Trainer(model, output_itself, optimizer, make(optimizer), callbacks=[noted])
    history = trainer.fit((np.ones((8, 1)), np.ones((8, 1))), epochs=2, batch_size=2)
    assert noted.found == pytest.approx(expected, rel=1e-5)
    assert [record["lr"] for record in history] == pytest.approx([expected[3], expected[7]])
