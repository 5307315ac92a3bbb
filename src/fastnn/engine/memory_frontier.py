"""What each memory budget costs, before a step is made."""

from __future__ import annotations

from typing import Any

from fastnn.engine.train_step import TrainStep
from fastnn.nn.module import Module


def memory_frontier(
    model: Module, loss: Any, optimizer: Any, x: Any, y: Any = None
) -> list[tuple[int, float]]:
    """What each memory budget costs: [(bytes of the process, predicted seconds of a step)].

    model, loss, optimizer: as for `TrainStep`. x, y: shapes, as for `TrainStep.plan`. The list goes
    from the least memory to the least time; a budget gets the last entry that fits into it. Time is
    traded for bytes by recomputing activations (Chen et al., 2016; Beaumont et al., 2019).

    >>> import fastnn as fn
    >>> model = fn.nn.Sequential(*[fn.nn.Linear(64, 64) for _ in range(12)])
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    >>> frontier = fn.memory_frontier(model, fn.nn.MSELoss(), optimizer, (4096, 64))
    >>> len(frontier) > 3 and frontier == sorted(frontier, key=lambda entry: -entry[1])
    True
    """
    return TrainStep(model, loss, optimizer).plan(x, y).frontier()
