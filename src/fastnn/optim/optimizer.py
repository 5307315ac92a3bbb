"""Base of all optimizers: parameter groups, state, and the numbers that their kernel reads.

An optimizer does no arithmetic itself. It names a kernel, and before each step it writes that
kernel's numbers (learning rate, decay, ...) into an array of each group. The kernel counts the
steps of each parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from fastnn.arguments import instance
from fastnn.habits import TRAINING
from fastnn.optim.arguments import check_number, described, groups_of


class Group(dict[str, Any]):
    """Parameters with options of their own.

    kernel: the kernel of the update. memory: the numbers that it reads: what gradients are scaled
    with and limited to, then `numbers`, from the options as `written`. steps: the updates of each
    parameter so far, counted by the kernel.
    """

    kernel: str
    memory: np.ndarray
    written: dict[str, Any]
    steps: np.ndarray
    initial_lr: float | None = None  # before the first schedule


class Optimizer:
    """Base class. Subclasses set `defaults`, and give `kernel`, `state_names` and `numbers`.

    A step changes the parameters that are trained (`requires_grad`) and that the loss depends on;
    the state and step count of others do not change, as in PyTorch.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.state: dict[int, dict[str, np.ndarray]] = {}
        self.param_groups: list[Group] = []
        for entry in groups_of(type(self).__name__, params):
            group = Group({**defaults, **entry})
            self.check(group)
            for parameter in group["params"]:
                if id(parameter) in self.state:
                    raise ValueError(f"a parameter of shape {parameter.shape} is given twice")
                self.state[id(parameter)] = {
                    name: parameter.zeros() for name in self.names(group)}
            group.kernel, group.written = self.kernel(group), dict(group)
            group.memory = np.array([1.0, math.inf, *self.numbers(group)], np.float64)
            group.steps = np.zeros(len(group["params"]), np.int64)
            self.param_groups.append(group)

    def kernel(self, group: Group) -> str:
        """The kernel of this group's update."""
        raise NotImplementedError

    def names(self, group: Group) -> Sequence[str]:
        """Names of the state arrays of each parameter, in kernel order."""
        return self.state_names

    def numbers(self, group: Group) -> list[float]:
        """The kernel's numbers."""
        raise NotImplementedError

    def check(self, group: Group) -> None:
        """Raise ValueError or TypeError for invalid options; the rest become floats."""
        for name in ("lr", "weight_decay", "eps", "momentum"):
            if name in group:
                group[name] = check_number(name, group[name], 0.0)

    @property
    def lr(self) -> float:
        """Learning rate of the first group; setting it sets all groups'."""
        return float(self.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        rate = check_number("lr", value, 0.0)
        for group in self.param_groups:
            group["lr"] = rate

    @property
    def steps(self) -> int:
        """The number of updates, of the parameter that has had the most."""
        return max(int(group.steps.max(initial=0)) for group in self.param_groups)

    def step(self, *_: Any) -> NoReturn:
        """Not supported: a TrainStep makes the update. Raises TypeError."""
        raise TypeError(f"an optimizer holds no gradients, so that step() has none: {TRAINING}")

    def zero_grad(self, *_: Any, **__: Any) -> NoReturn:
        """Not needed: gradients are new in every step. Raises TypeError."""
        raise TypeError(f"there are no gradients to zero, they are new in every step: {TRAINING}")

    def advance(self, scale: float = 1.0, limit: float = math.inf) -> None:
        """Begin a step: write the numbers that the kernels will read.

        They take clamp(scale g, -limit, limit) for a gradient g; with `maximize`, -scale. Raises
        ValueError or TypeError for options that were set to invalid values, before anything is
        written.
        """
        self._write_options()
        for group in self.param_groups:
            group.memory[0] = -scale if group.get("maximize") else scale
            group.memory[1] = limit

    def _write_options(self) -> None:
        """Write the numbers that follow from the options, if these have changed."""
        for group in self.param_groups:
            try:
                same = group == group.written
            except (TypeError, ValueError):  # an array instead of a number; `check` reports it
                same = False
            if same:  # usual, and the rest takes as long as a small kernel
                continue
            self.check(group)
            if self.kernel(group) != group.kernel:
                raise ValueError(f"{type(self).__name__}: momentum and nesterov cannot be switched "
                                 "on or off between steps; make a new optimizer")
            group.memory[2:] = self.numbers(group)
            group.written = dict(group)

    def state_dict(self) -> dict[str, Any]:
        """Options of the groups, and steps and state arrays in the order of the parameters."""
        groups = [{key: value.item() if isinstance(value, np.generic) else value
                   for key, value in group.items() if key != "params"}
                  for group in self.param_groups]
        steps = [int(count) for group in self.param_groups for count in group.steps]
        return {"steps": steps, "groups": groups, "state": [self.state[id(p)] for p in self._all]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state; nothing changes unless all of it fits, else ValueError or TypeError.

        A single number of steps, as in states of earlier versions, applies to every parameter.
        """
        instance(state, "the state", Mapping)
        for name in ("steps", "groups", "state"):
            if name not in state:
                raise ValueError(f"no state of an optimizer: it has no {name!r}")
        parameters = self._all
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
        options = self.fitting(state["groups"], state["steps"])
        for parameter, arrays in zip(parameters, state["state"], strict=True):
            for name, array in self.state[id(parameter)].items():
                array[...] = arrays[name]
        self.take(options)

    def fitting(self, groups: Sequence[Mapping[str, Any]], steps: Any) -> list[Group]:
        """Groups with the options and steps of a state, for `take`.

        Raises ValueError or TypeError if they do not fit this optimizer's.
        """
        if len(groups) != len(self.param_groups):
            raise ValueError(f"{len(groups)} parameter groups, expected {len(self.param_groups)}")
        counts = self._counts(steps)
        fitting = []
        for options, own in zip(groups, self.param_groups, strict=True):
            names = set(own) - {"params"}
            if set(options) != names:
                raise ValueError(f"options {sorted(options)}, expected {sorted(names)}")
            group = Group(options)
            self.check(group)
            if self.kernel(group) != own.kernel:
                raise ValueError(f"with {options} it has another rule, {self.kernel(group)}, "
                                 f"expected {own.kernel}")
            group.steps, counts = counts[:own.steps.size], counts[own.steps.size:]
            fitting.append(group)
        return fitting

    def take(self, groups: Sequence[Group]) -> None:
        """Adopt the options and steps that `fitting` returned."""
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update(group)
            own.steps[:] = group.steps

    def _counts(self, steps: Any) -> np.ndarray:
        """The steps of each parameter, from a list of them or from one number for all."""
        count = len(self._all)
        each = steps if isinstance(steps, list) else [steps] * count
        if len(each) != count or any(type(n) is not int or not 0 <= n < 2**53 for n in each):
            raise ValueError(f"the steps are no list of {count} counts, one for each parameter")
        return np.array(each, np.int64)

    @property
    def _all(self) -> list[Any]:
        return [parameter for group in self.param_groups for parameter in group["params"]]


def check_optimizer(value: Any) -> Optimizer:
    """The value, which must be an optimizer; the TypeError says how to make one."""
    if isinstance(value, Optimizer):
        return value
    name = getattr(value, "__name__", value)
    kinds = {kind.__name__.lower(): kind.__name__ for kind in _kinds(Optimizer)}
    kind = kinds.get(name.lower(), "SGD") if isinstance(name, str) else "SGD"
    raise TypeError(f"the optimizer must be one of fastnn.optim, got {described(value)}; write "
                    f"optim.{kind}(model.parameters())")


def _kinds(kind: type[Optimizer]) -> list[type[Optimizer]]:
    return [kind, *(each for derived in kind.__subclasses__() for each in _kinds(derived))]
