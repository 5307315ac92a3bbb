"""What optimizers share: parameter groups, state, and the numbers that their kernel reads.

An optimizer does no arithmetic itself. It names a kernel, and before each step it writes that
kernel's numbers (learning rate, decay, ...) into an array of each group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from fastnn.arguments import instance, real
from fastnn.habits import TRAINING


class Group(dict[str, Any]):
    """Parameters with options of their own; `memory` holds `numbers` for the kernel."""

    memory: np.ndarray
    numbers: list[float]
    initial_lr: float | None = None  # as it was before the first schedule


class Optimizer:
    """Base class. Subclasses set `defaults`, and give `kernel`, `state_names` and `numbers`."""

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        if not isinstance(params, Iterable):
            raise TypeError(f"{type(self).__name__} takes parameters, as of model.parameters(), "
                            f"got {params!r:.60}")
        entries = list(params)
        if not entries:
            raise ValueError(f"{type(self).__name__} got no parameters")
        if not isinstance(entries[0], dict):
            entries = [{"params": entries}]
        self.defaults = dict(defaults)
        self.steps = 0
        self.state: dict[int, dict[str, np.ndarray]] = {}
        self.param_groups: list[Group] = []
        seen: set[int] = set()
        for entry in entries:
            group = Group({**defaults, **entry, "params": list(entry["params"])})
            for parameter in group["params"]:
                if not hasattr(parameter, "requires_grad") or not hasattr(parameter, "memory"):
                    raise TypeError(f"expected parameters, got {type(parameter)}")
                if id(parameter) in seen:
                    raise ValueError("a parameter is in more than one group")
                seen.add(id(parameter))
                self.state[id(parameter)] = {
                    name: parameter.zeros() for name in self.names(group)}
            self.check(group)
            group.numbers = self.numbers(group)
            group.memory = np.array(group.numbers, np.float64)
            self.param_groups.append(group)

    def kernel(self, group: Group) -> str:
        """The kernel that makes this group's update."""
        raise NotImplementedError

    def names(self, group: Group) -> Sequence[str]:
        """Names of the state arrays of each parameter, in kernel order."""
        return self.state_names

    def numbers(self, group: Group) -> list[float]:
        """The kernel's numbers at step `self.steps` (the first is 1)."""
        raise NotImplementedError

    def check(self, group: Group) -> None:
        """Raise ValueError for options that make no sense."""
        for name in ("lr", "weight_decay", "eps", "momentum", "dampening"):
            if name in group:
                group[name] = real(group[name], name, "a number from 0 on", 0)

    @property
    def lr(self) -> float:
        """Learning rate of the first group; setting it sets all groups'."""
        return float(self.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.param_groups:
            group["lr"] = real(value, "lr", "a number from 0 on", 0)

    def step(self, *_: Any) -> NoReturn:
        """Not here: a TrainStep makes the update. Raises TypeError."""
        raise TypeError(f"an optimizer holds no gradients, so that step() has none: {TRAINING}")

    def zero_grad(self, *_: Any, **__: Any) -> NoReturn:
        """Not here: gradients are new in every step. Raises TypeError."""
        raise TypeError(f"there are no gradients to zero, they are new in every step: {TRAINING}")

    def advance(self) -> None:
        """Begin a step: write the numbers that the kernels will read."""
        self.steps += 1
        for group in self.param_groups:
            numbers = self.numbers(group)
            if numbers == group.numbers:  # as a rule, and writing takes as long as a small kernel
                continue
            if len(numbers) != len(group.numbers):
                raise ValueError(f"{type(self).__name__}: momentum cannot be switched on or off "
                                 "between steps; make a new optimizer")
            group.memory[:] = group.numbers = numbers

    def state_dict(self) -> dict[str, Any]:
        """Steps, options and state arrays, in the order of the parameters."""
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.param_groups]
        arrays = [self.state[id(p)] for group in self.param_groups for p in group["params"]]
        return {"steps": self.steps, "groups": groups, "state": arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; nothing changes unless all of it fits."""
        instance(state, "the state", Mapping)
        for name in ("steps", "groups", "state"):
            if name not in state:
                raise ValueError(f"no state of an optimizer: it has no {name!r}")
        parameters = [p for group in self.param_groups for p in group["params"]]
        if len(state["state"]) != len(parameters) or len(state["groups"]) != len(self.param_groups):
            raise ValueError(f"optimizer state is for {len(state['state'])} parameters in "
                             f"{len(state['groups'])} groups, expected {len(parameters)} in "
                             f"{len(self.param_groups)}")
        for i, (parameter, arrays) in enumerate(zip(parameters, state["state"], strict=True)):
            own = self.state[id(parameter)]
            for name in own:
                if name not in arrays or np.shape(arrays[name]) != own[name].shape:
                    raise ValueError(f"optimizer state {name!r} of parameter {i} does not have "
                                     f"shape {own[name].shape}")
        for parameter, arrays in zip(parameters, state["state"], strict=True):
            for name, array in self.state[id(parameter)].items():
                array[...] = arrays[name]
        for group, options in zip(self.param_groups, state["groups"], strict=True):
            group.update(options)
        self.steps = int(state["steps"])
