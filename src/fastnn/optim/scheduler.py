"""Base of learning-rate schedules: time, state, and how several work on one optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from fastnn.arguments import integer, real
from fastnn.optim.arguments import check_number
from fastnn.optim.optimizer import Optimizer


def check_optimizer(schedule: LRScheduler, optimizer: Optimizer) -> None:
    """Raise TypeError unless the value is an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(schedule).__name__} takes an optimizer such as SGD(...), "
                        f"got {optimizer!r:.60}")


class LRScheduler:
    """Base class: sets the learning rates of an optimizer, from the start on.

    last_epoch: -1 to begin, or the last epoch that is done, to go on after it; the optimizer's
    groups then need "initial_lr", the rate at the very beginning (an optimizer's state has it).

    `step()` advances by one; `step(t)` goes to time t, which may be a fraction. Subclasses give
    `get_lr`, the rate of each group, from `self.last_epoch` and `self.base_lrs`, the rates before
    the optimizer's first schedule.

    A `Trainer` steps its schedule by itself. Time counts what `unit` says, "epoch" or "batch":
    batches for `CyclicLR`, `OneCycleLR` and what has one of them as a part, else epochs. Set
    `schedule.unit = "batch"` for a warm-up by batches. `smooth`: whether fractions of an epoch
    count; otherwise the rate changes between epochs only.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> class InverseRoot(optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / (1 + self.last_epoch) ** 0.5 for base in self.base_lrs]
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = InverseRoot(optimizer)
    >>> for _ in range(3):
    ...     schedule.step()
    >>> optimizer.lr
    0.5
    """

    unit: str = "epoch"
    smooth: ClassVar[bool] = False
    schedulers: tuple[LRScheduler, ...] = ()  # its parts
    end: float = math.inf  # the last time that there is

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        start = integer(last_epoch, "last_epoch", "an integer from -1 on", -1) + 1
        for i, group in enumerate(optimizer.param_groups):
            if start == 0:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise ValueError(f"last_epoch={last_epoch} goes on with a schedule, for which "
                                 f"param_groups[{i}] needs 'initial_lr', the rate at the very "
                                 "beginning: load the optimizer's state first, or set it")
        self.base_lrs = [check_number("initial_lr", group["initial_lr"], 0.0)
                         for group in optimizer.param_groups]
        self._start(start)

    def _start(self, time: float) -> None:
        self._go(time)

    def _go(self, time: float) -> None:
        self.last_epoch: float = self._place(time)
        self.apply(self.last_epoch)

    def _place(self, time: float) -> float:
        return time if self.smooth else math.floor(time)

    def apply(self, time: float) -> None:
        """Set the optimizer's rates for a time."""
        self._set(self.get_lr())

    def get_lr(self) -> list[float]:
        """The rate of each group at `self.last_epoch`, for subclasses to give."""
        raise NotImplementedError(f"{type(self).__name__} needs get_lr()")

    def step(self, epoch: float | None = None) -> None:
        """Set the learning rates for the next step of time, or for the time `epoch`."""
        time = self._place(self.last_epoch + 1 if epoch is None else
                           real(epoch, "the time of a schedule", "a number from 0 on", 0))
        if time > self.end:
            raise ValueError(f"{type(self).__name__} ends after {self.end} steps, got step {time}")
        if self.smooth or time != self.last_epoch:
            self._go(time)

    def restart(self) -> None:
        """Go back to time 0 and the base rates."""
        self._set(self.base_lrs)
        self.begin()

    def begin(self) -> None:
        """Go back to time 0, with the rates as they are now for the base rates."""
        self._go(0)

    def follow(self) -> None:
        """Begin after another schedule, as the next part of a `SequentialLR`."""
        self.restart()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def walk(self) -> Iterator[LRScheduler]:
        """This schedule and all that it is made of."""
        yield self
        for part in self.schedulers:
            yield from part.walk()

    def state_dict(self) -> dict[str, Any]:
        """The time, the base rates, and the rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs),
                "rates": self.get_last_lr()}

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Raise ValueError for a state that `load_state_dict` cannot take."""
        for name in ("base_lrs", "rates"):
            self._check_rates(name, state.get(name, state["base_lrs"]))
            if min(state.get(name, state["base_lrs"])) < 0:
                raise ValueError(f"the schedule's {name} are {state[name]}, expected 0 or more")
        if not 0 <= state["last_epoch"] < math.inf:
            raise ValueError(f"the schedule's last_epoch is {state['last_epoch']}, expected a time "
                             "from 0 on")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of `state_dict`; nothing changes unless all of it fits."""
        self.check_state(state)
        self.take_base_rates(state)
        self._go(state["last_epoch"])
        self._set(state.get("rates", self.get_last_lr()))

    def take_base_rates(self, state: Mapping[str, Any]) -> None:
        """Adopt the base rates of a state, here and in all parts."""
        self.base_lrs = [float(rate) for rate in state["base_lrs"]]

    def _check_rates(self, name: str, rates: Any) -> None:
        if len(rates) != len(self.base_lrs):
            raise ValueError(f"the schedule is for {len(rates)} parameter groups, "
                             f"expected {len(self.base_lrs)}")
        if not all(math.isfinite(rate) for rate in rates):
            raise ValueError(f"the schedule's {name} are {rates}, expected finite numbers")

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = float(rate)


class FactorLR(LRScheduler):
    """A schedule that multiplies the current rate; subclasses give `factor`.

    From time s to t it multiplies (lr - floor) by factor(t) / factor(s), like PyTorch's chained
    schedules, so that several work on one optimizer, and a rate that you set in between counts. If
    nothing else changes the rate, it is floor + (base - floor) * factor(t), which depends only on
    the time: rounding does not accumulate. After a factor of 0 it starts from the base rates.
    floors: of each group; 0 by default.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> both = optim.LinearLR(optimizer, 0.5, total_iters=2), optim.ExponentialLR(optimizer, 0.5)
    >>> for _ in range(2):
    ...     for schedule in both:
    ...         schedule.step()
    ...     print(optimizer.lr)
    0.375
    0.25
    """

    # With last_epoch=n, of which epoch the rate is that the optimizer has: n + 1 as a rule. Where
    # the rate jumps, it is that of epoch n, and a jump at n + 1 is still to come. As PyTorch.
    _jumps: ClassVar[bool] = False

    def __init__(
        self, optimizer: Optimizer, last_epoch: int = -1, floors: Sequence[float] | None = None
    ) -> None:
        check_optimizer(self, optimizer)
        self._floors = [0.0] * len(optimizer.param_groups) if floors is None else list(floors)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        """The factor of the rate of time 0."""
        raise NotImplementedError

    def factors(self, time: float) -> list[float]:
        """The factor of each group."""
        return [self.factor(time)] * len(self.optimizer.param_groups)

    def _start(self, time: float) -> None:
        if time == 0:
            self.begin()
        else:
            self._find(self.factors(time - self._jumps))
            self._go(time)

    def _find(self, factors: list[float]) -> None:
        """Take the present rates for what these factors have made."""
        self._factors, self._left = factors, self.get_last_lr()
        # What the factors multiply; `_left` has the rates that this schedule set last.
        self._bases = [self._base(i, rate, factors[i]) for i, rate in enumerate(self._left)]

    def _base(self, i: int, rate: float, factor: float) -> float:
        if factor == 0:  # nothing is left to multiply
            return self.base_lrs[i]
        return rate if factor == 1 else self._floors[i] + (rate - self._floors[i]) / factor

    def _rate(self, i: int) -> float:
        base, floor, factor = self._bases[i], self._floors[i], self._factors[i]
        return base if factor == 1 else floor + (base - floor) * factor

    def apply(self, time: float) -> None:
        before, self._factors = self._factors, self.factors(time)
        for i, group in enumerate(self.optimizer.param_groups):
            if self._factors[i] == before[i]:
                continue
            found, beside = float(group["lr"]), 0.0
            if before[i] == 0:  # what others have made of nothing comes on top
                beside = found - self._floors[i]
            if before[i] == 0 or found != self._left[i]:
                self._bases[i] = self._base(i, found, before[i])
            self._left[i] = self._rate(i)
            group["lr"] = self._left[i] + beside

    def begin(self) -> None:
        self._find([1.0] * len(self._floors))
        super().begin()

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with what is multiplied."""
        return {**super().state_dict(), "bases": list(self._bases)}

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        self._check_rates("bases", state.get("bases", state["base_lrs"]))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        self.take_base_rates(state)
        self._go(state["last_epoch"])
        self._bases = [float(base) for base in state.get("bases", self.base_lrs)]
        self._left = [self._rate(i) for i in range(len(self._bases))]
        self._set(state.get("rates", self._left))
