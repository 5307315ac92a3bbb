"""Base of all optimizers: parameter groups, state, and the numbers that their kernel reads.

An optimizer does no arithmetic itself. It names a kernel, and before each step it writes that
kernel's numbers (learning rate, decay, ...) into an array of each group. The kernel counts the
steps of each parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from fastnn.arguments import instance
from fastnn.habits import TRAINING
from fastnn.optim.arguments import (
    check_betas,
    check_flag,
    check_number,
    described,
    groups_of,
)
from fastnn.optim.clipping import Clipping

# Options of all kinds that are numbers from 0 on, and those that are True or False.
FROM_0 = ("lr", "initial_lr", "weight_decay", "eps", "momentum", "momentum_decay", "lr_decay",
          "alpha", "initial_accumulator_value")
FLAGS = ("maximize", "nesterov", "amsgrad", "centered", "decoupled_weight_decay")
_stepper: Callable[..., None] | None = None


def set_stepper(stepper: Callable[..., None]) -> None:
    """Set what updates parameters: stepper(optimizer, gradients, clipping)."""
    global _stepper
    _stepper = stepper


class Group(dict[str, Any]):
    """Parameters with options of their own.

    kernel: the kernel of the update; rule: what plans depend on. memory: the numbers that the
    kernel reads: what gradients are scaled with and limited to, then `numbers`, from the options as
    `written`. steps: the updates of each parameter so far, counted by the kernel. carried: a number
    for each parameter that the kernel hands on from step to step, if it has one.
    """

    kernel: str
    rule: tuple[Any, ...]
    memory: np.ndarray
    factors: tuple[float, float] = (math.nan, math.nan)  # the two that are written
    written: dict[str, Any]
    steps: np.ndarray
    carried: np.ndarray


class Optimizer:
    """Base class. Subclasses set `defaults`, and give `kernel`, `state_names` and `numbers`.

    A step changes the parameters that are trained (`requires_grad`) and that the loss depends on;
    the state and step count of others do not change, as in PyTorch.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    # The state's name of the number that kernels carry on; "" if they have none.
    carried_name: ClassVar[str] = ""
    # What options meant before there were any: states of earlier versions do not have them.
    before: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.state: dict[int, dict[str, np.ndarray]] = {}
        self.param_groups: list[Group] = []
        groups = groups_of(type(self).__name__, params)
        if not any(group["params"] for group in groups):
            raise ValueError(f"{type(self).__name__} got no parameters: give it model.parameters() "
                             "of a model that has some")
        for group in groups:
            self._add(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own, as torch.optim.Optimizer.add_param_group.

        param_group: {"params": parameters, "lr": ...}; what it leaves out are the defaults. A later
        step makes new plans. Raises TypeError or ValueError, before anything changes.

        >>> from fastnn import nn, optim
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> optimizer = optim.SGD(model[1].parameters(), lr=0.1)
        >>> optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(param_group, Mapping):
            raise TypeError("param_group must be a dict such as {'params': layer.parameters()}, "
                            f"got {described(param_group)}")
        self._add(groups_of(type(self).__name__, [param_group])[0])
        for parameter in self.param_groups[-1]["params"]:
            parameter.now_trained()

    def _add(self, entry: Mapping[str, Any]) -> None:
        """Add a group, with state that begins anew."""
        group = Group({**self.defaults, **entry})
        self.check(group)
        known = set(self.state)
        for parameter in group["params"]:
            if id(parameter) in known:
                raise ValueError(f"a parameter of shape {parameter.shape} is given twice")
            known.add(id(parameter))
        group.kernel, group.rule, group.written = self.kernel(group), self.rule(group), dict(group)
        group.memory = np.array([1.0, math.inf, *self.numbers(group)], np.float64)
        group.steps = np.zeros(len(group["params"]), np.int64)
        group.carried = np.zeros(len(group["params"]), np.float64)
        begins = self.begins(group)
        for place, parameter in enumerate(group["params"]):
            state = {name: parameter.zeros() for name in self.names(group)}
            if self.carried_name:
                state[self.carried_name] = group.carried[place:place + 1].reshape(())
            for name, value in begins.items():
                state[name][...] = value
            self.state[id(parameter)] = state
        self.param_groups.append(group)

    def rule(self, group: Group) -> tuple[Any, ...]:
        """What cannot change between steps, as plans depend on it."""
        return (self.kernel(group),)

    def begins(self, group: Group) -> Mapping[str, float]:
        """What state begins with, by name; 0 where nothing is said."""
        return {}

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
        """Raise ValueError or TypeError for invalid options; the rest become floats and bools."""
        for name in FROM_0:
            if name in group:
                group[name] = check_number(name, group[name], 0.0)
        for name in FLAGS:
            if name in group:
                group[name] = check_flag(name, group[name])
        if "betas" in group:
            group["betas"] = check_betas(group["betas"])

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

    def step(
        self, grads: Any = None, *, clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
    ) -> None:
        """Update the parameters from gradients, for loops of one's own; as the same `TrainStep`.

        grads: as `fn.value_and_grad` returns them, {name: array}, or a dict made of them; a dict by
        parameter; or a list in the order of the parameters. Those of other parameters do not
        matter, as long as some are of this optimizer's. What has no gradient (or None) is left as
        it is. clip_grad_norm, clip_grad_value: as for `TrainStep`, of these gradients together.

        Raises ShapeError; NonFiniteError, which names the parameter; ValueError for gradients of
        another model; TypeError. Nothing has changed then.

        >>> import numpy as np, fastnn as fn
        >>> weight = fn.nn.Parameter(np.zeros(3))
        >>> optimizer = fn.optim.SGD([weight], lr=0.5)
        >>> optimizer.step([np.array([1.0, 2.0, 4.0])], clip_grad_value=2.0)
        >>> weight.data
        array([-0.5, -1. , -1. ], dtype=float32)
        """
        if _stepper is None:
            raise RuntimeError("import fastnn before a step")
        _stepper(self, grads, Clipping(clip_grad_norm, clip_grad_value))

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
            factors = (-scale if group.get("maximize") else scale, limit)
            if factors != group.factors:  # a write takes a while, beside a small kernel
                group.memory[:2] = group.factors = factors

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
            if self.rule(group) != group.rule:
                changed = ", ".join(name for name, value in group.items()
                                    if name != "params" and value != group.written.get(name))
                raise ValueError(f"{type(self).__name__}: {changed} cannot be set between steps so "
                                 "that the rule of the update is another; make a new optimizer")
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
            names, group = set(own) - {"params"}, Group(self.completed(options))
            if (set(group) ^ names) - {"initial_lr"}:  # which the first schedule adds
                raise ValueError(f"options {sorted(options)}, expected {sorted(names)}")
            self.check(group)
            if self.rule(group) != own.rule:
                raise ValueError(f"with {options} it has another rule, "
                                 f"{_listed(self.rule(group))}, expected {_listed(own.rule)}")
            group.steps, counts = counts[:own.steps.size], counts[own.steps.size:]
            fitting.append(group)
        return fitting

    def completed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a state, with those that states of earlier versions do not have."""
        return {**self.before, **options}

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


def decays(group: Group) -> tuple[float, float]:
    """The weight decay that is added to the gradient, and that of the parameter itself."""
    decay = group["weight_decay"]
    return (0.0, decay) if group["decoupled_weight_decay"] else (decay, 0.0)


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values))


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
