"""Schedules that are made of others: one after the other, or all at once."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastnn.arguments import instance
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import LRScheduler
from fastnn.optim.schedules.milestones import milestones_of


class _Combined(LRScheduler):
    """Parts of one optimizer, which all count batches if one of them does."""

    smooth = True

    def __init__(
        self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler], last_epoch: int
    ) -> None:
        name = type(self).__name__
        instance(schedulers, "schedulers", (list, tuple))
        if not schedulers:
            raise ValueError(f"{name} needs at least one schedule, got none")
        for part in schedulers:
            if not isinstance(part, LRScheduler):
                raise TypeError(f"{name} takes schedules, got {part!r:.60}")
            if part.unit == "metric":
                raise ValueError(f"{name} takes no {type(part).__name__}, whose step needs a "
                                 "metric: step it beside the others")
        optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        every = [one for part in schedulers for one in part.walk()]
        if any(one is self for one in every):
            raise ValueError(f"this {name} is a part of itself, so that it would never end")
        if any(one.optimizer is not optimizer for one in every):
            raise ValueError(f"{name} takes schedules of one optimizer, got several")
        if len({id(one) for one in every}) < len(every):
            raise ValueError(f"{name} got a schedule twice: make one for each place")
        self.schedulers = tuple(schedulers)
        if any(part.unit == "batch" for part in schedulers):
            self.unit = "batch"
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with the states of the parts."""
        return {**super().state_dict(),
                "schedulers": [part.state_dict() for part in self.schedulers]}

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        states = state.get("schedulers", [])
        if states and len(states) != len(self.schedulers):
            raise ValueError(f"the schedule is made of {len(states)}, "
                             f"expected {len(self.schedulers)}")
        for part, its in zip(self.schedulers, states, strict=False):
            part.check_state(its)


class SequentialLR(_Combined):
    """One schedule after the other, the next one at each milestone, as torch's SequentialLR.

    As there, each begins with the base rates and discards changes by other schedules; only
    `MultiplicativeLR` and `SWALR` go on from the rate that they find. Parts may be sequences and
    chains themselves.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> warmup = optim.LinearLR(optimizer, 0.5, total_iters=2)
    >>> decay = optim.ExponentialLR(optimizer, 0.5)
    >>> schedule = SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> found = []
    >>> for _ in range(5):
    ...     found.append(optimizer.lr)
    ...     schedule.step()
    >>> found
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Iterable[float],
        last_epoch: int = -1,
    ) -> None:
        self.milestones = milestones_of(milestones)
        instance(schedulers, "schedulers", (list, tuple))
        rising = all(a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False))
        if len(self.milestones) != len(schedulers) - 1 or not rising:
            raise ValueError(f"{len(schedulers)} schedules need {len(schedulers) - 1} rising "
                             f"milestones, got {self.milestones!s:.60}")
        self._chosen: int | None = None
        super().__init__(optimizer, schedulers, last_epoch)

    @property
    def end(self) -> float:  # type: ignore[override]
        """The last time that there is: a part may end before the next one begins."""
        starts = [0.0, *self.milestones]
        for part, start, stop in zip(self.schedulers, starts, [*self.milestones, math.inf],
                                     strict=True):
            if start + part.end < stop:
                return start + part.end
        return math.inf

    def apply(self, time: float) -> None:
        chosen = bisect.bisect_right(self.milestones, time)
        part = self.schedulers[chosen]
        if self._chosen is None:
            self._set(self.base_lrs)
            part.begin()
        elif chosen != self._chosen:
            part.follow()
        self._chosen = chosen
        part.step(time - [0.0, *self.milestones][chosen])

    def begin(self) -> None:
        self._chosen = None
        super().begin()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        self._chosen = None
        super().load_state_dict(state)
        states = state.get("schedulers", ())
        if states and self._chosen is not None:  # the others begin anew at their milestones
            self.schedulers[self._chosen].load_state_dict(states[self._chosen])

    def take_base_rates(self, state: Mapping[str, Any]) -> None:
        super().take_base_rates(state)
        its = state.get("schedulers") or [state] * len(self.schedulers)
        for part, base in zip(self.schedulers, its, strict=True):
            part.take_base_rates(base)


class ChainedScheduler(_Combined):
    """All of these schedules in each step, one after the other, as torch's ChainedScheduler.

    optimizer: by default that of the first.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = ChainedScheduler([optim.ConstantLR(optimizer, 0.5, total_iters=2),
    ...                              optim.ExponentialLR(optimizer, 0.5)])
    >>> found = []
    >>> for _ in range(4):
    ...     found.append(optimizer.lr)
    ...     schedule.step()
    >>> found
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        super().__init__(optimizer, schedulers, -1)

    def _start(self, time: float) -> None:
        self.last_epoch: float = self.schedulers[0].last_epoch  # they have begun already

    @property
    def end(self) -> float:  # type: ignore[override]
        """The last time that there is, for all parts."""
        return min(part.end for part in self.schedulers)

    def step(self, epoch: float | None = None) -> None:
        if epoch is not None:
            super().step(epoch)
            return
        for part in self.schedulers:  # each may be at a time of its own
            part.step()
        self.last_epoch += 1

    def apply(self, time: float) -> None:
        for part in self.schedulers:
            part.step(time)

    def begin(self) -> None:
        self.last_epoch = 0
        for part in self.schedulers:
            part.begin()

    def take_base_rates(self, state: Mapping[str, Any]) -> None:
        super().take_base_rates(state)
        for part, its in zip(self.schedulers, state["schedulers"], strict=True):
            part.take_base_rates(its)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        super().take_base_rates(state)
        for part, its in zip(self.schedulers, state["schedulers"], strict=True):
            part.load_state_dict(its)
        self.last_epoch = state["last_epoch"]
        self._set(state.get("rates", self.get_last_lr()))
