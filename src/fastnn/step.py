"""Tie the stages together: trace, differentiate, plan, run.

`TrainStep` makes one step of training, `value_and_grad` gives a loss and its gradients, and calling
a module with arrays computes its output. Each keeps a few plans, one for each shape and mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn._kernels.checks import all_finite
from fastnn.autodiff import gradients
from fastnn.compiled import Budget, Compiled, NonFiniteError, PlanCache, memory_limit, modes
from fastnn.graph import (
    FLOAT,
    Graph,
    Node,
    Origin,
    ShapeError,
    Spec,
    Tensor,
    leaf,
    scope,
    storage_shape,
)
from fastnn.nn.module import Module, set_runner
from fastnn.nn.parameter import Parameter
from fastnn.ops.update import Update
from fastnn.plan.plan import Plan
from fastnn.plan.watch import BudgetWatch
from fastnn.runtime.random import next_step, streams
from fastnn.runtime.shared import free_arena
from fastnn.trace import flat, like, trace


def _trainable(model: Module, loss: Any) -> dict[str, Parameter]:
    named = dict(model.named_parameters())
    if isinstance(loss, Module):
        named.update({f"loss.{name}": value for name, value in loss.named_parameters()})
    return {name: value for name, value in named.items() if value.requires_grad}


def _loss_graph(
    model: Module, loss: Any, x_spec: Any, y_spec: Any, layout: str
) -> tuple[tuple[Tensor, ...], list[Tensor], Tensor, tuple[Node, ...]]:
    """(inputs, flat outputs of the model, scalar loss, state changes)."""
    with streams():
        traced = trace(model, x_spec if isinstance(x_spec, tuple) else (x_spec,), layout)

        def loss_of(target: Any) -> Any:
            return loss(traced.output, target)

        with scope("loss"):
            end = trace(loss_of, (y_spec,), layout, len(traced.inputs))
    value = end.output
    if not isinstance(value, Tensor) or value.size != 1 or value.dtype != FLOAT:
        raise ShapeError(f"the loss must be a scalar tensor, got {value}")
    return (*traced.inputs, *end.inputs), flat(traced.output), value, traced.updates + end.updates


def target_spec(loss: Any, output: Any, layout: str) -> Any:
    """The array that a loss takes as target: what the loss says, else like the output."""
    if isinstance(output, (tuple, list)):
        return tuple(target_spec(loss, part, layout) for part in output)
    spec = loss.target_spec(output.spec) if hasattr(loss, "target_spec") else output.spec
    return Spec(storage_shape(spec.shape), spec.dtype) if layout == "NHWC" else spec


class TrainStep:
    """One forward pass, backward pass and update, planned once for each shape.

    model: a Module. loss: a module or function of (output, target) that gives a scalar.
    optimizer: over the model's parameters. memory_budget: bytes of the process, text like
    "512MiB", or "auto" (what the cgroup or the machine leaves); None for no limit.
    layout: "NCHW", or "NHWC" for channels-last images. Calling it with (x, y) returns the loss as
    a float; several inputs or targets are tuples.

    A steady step (same shapes, modes and threads as the step before) takes no memory: every value,
    gradient and workspace lies in one arena, and neither the allocator nor a fresh page is asked
    for. That holds for C-contiguous float32 and int64 arrays in native byte order, which are read
    in place; anything else is converted first, into new memory. What remains are a few small
    Python objects (array headers, the float), which Python takes from its own pools.

    Raises ShapeError, NonFiniteError (before any parameter changes), MemoryBudgetError.
    """

    def __init__(
        self, model: Module, loss: Any, optimizer: Any, memory_budget: Budget = None,
        layout: str = "NCHW", keep_output: bool = False,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.layout, self.keep_output = layout, keep_output
        self._cache = PlanCache(self._modes)
        self._compiled: Compiled | None = None
        self._watch = BudgetWatch(memory_budget)

    @property
    def memory_budget(self) -> Budget:
        """The budget as it was given; another one may be set between steps, with the same bits.

        "auto" follows the limit of the process's cgroup.
        """
        return self._watch.budget

    @memory_budget.setter
    def memory_budget(self, budget: Budget) -> None:
        self._watch = BudgetWatch(budget)
        self._replan()

    def _replan(self) -> None:
        self._compiled = None
        self._cache.clear()
        free_arena().renew()

    def _limit(self) -> int | None:
        """The budget in bytes; plans that no longer keep to it are forgotten."""
        if self._watch.is_broken():
            self._replan()
        return self._watch.limit

    def _modes(self) -> tuple[bool, ...]:
        trained = (p for group in self.optimizer.param_groups for p in group["params"])
        return modes(self.model, self.loss, parameters=trained)

    def _make(self, specs: tuple[Any, Any]) -> Compiled:
        inputs, outputs, loss, updates = _loss_graph(self.model, self.loss, *specs, self.layout)
        forward = [loss, *outputs]
        wanted = [p.__tensor__() for group in self.optimizer.param_groups
                  for p in group["params"] if p.requires_grad]
        grads = dict(zip(wanted, gradients(loss, wanted), strict=True))
        updates = (*updates, *optimizer_nodes(self.optimizer, grads))
        results = (loss, *(outputs if self.keep_output else ()))
        graph = Graph.trace(inputs, results, updates, forward)
        return Compiled(graph, self._watch.limit, specs, arena=free_arena())

    def __call__(self, x: Any, y: Any) -> float:
        compiled = self._cache.bind((x, y), ("x", "y"), self._make, self._limit())
        with compiled.turn():
            compiled.executor.compute()
            loss = compiled.first()
            if not isfinite(loss):
                raise NonFiniteError(f"the loss is {loss}; "
                                     f"{_first_non_finite(compiled, self.model)}; "
                                     "no parameter was changed")
            self.optimizer.advance()
            compiled.executor.update()
        if compiled.draws:
            next_step()
        self._compiled = compiled
        return loss

    @property
    def output(self) -> np.ndarray:
        """The model's output in the last step (with keep_output=True); a copy.

        Raises RuntimeError once another plan of this thread has run: they share their memory.
        """
        if self._compiled is None or not self.keep_output:
            raise RuntimeError("no output is kept: use keep_output=True and make a step first")
        executor = self._compiled.executor
        if not executor.arena.is_owner(executor):
            raise RuntimeError("the output is gone: read it before another model or step runs")
        return self._compiled.read(1)

    def plan(self, x: Any, y: Any = None) -> Plan:
        """The plan for inputs of shape x (and targets of shape y); works before the first step.

        x, y: a shape (or a Spec), or a tuple of several.
        """
        x_spec = _as_spec(x)
        output = trace(self.model, x_spec if isinstance(x_spec, tuple) else (x_spec,),
                       self.layout).output
        expected = target_spec(self.loss, output, self.layout)
        specs = (x_spec, expected if y is None else _as_spec(y, expected))
        return self._cache.get(specs, self._make, self._limit()).plan


def memory_frontier(
    model: Module, loss: Any, optimizer: Any, x: Any, y: Any = None
) -> list[tuple[int, float]]:
    """What each memory budget costs: [(bytes of the process, predicted seconds of a step)].

    model, loss, optimizer: as for `TrainStep`. x, y: shapes, as for `TrainStep.plan`. The list goes
    from the least memory to the least time; a budget gets the last entry that fits into it. Time is
    traded for bytes by computing activations again (Chen et al., 2016; Beaumont et al., 2019).

    >>> import fastnn as fn
    >>> model = fn.nn.Sequential(*[fn.nn.Linear(64, 64) for _ in range(12)])
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    >>> frontier = fn.memory_frontier(model, fn.nn.MSELoss(), optimizer, (4096, 64))
    >>> len(frontier) > 3 and frontier == sorted(frontier, key=lambda entry: -entry[1])
    True
    """
    return TrainStep(model, loss, optimizer).plan(x, y).frontier()


def optimizer_nodes(optimizer: Any, grads: Mapping[Tensor, Tensor]) -> tuple[Node, ...]:
    """The optimizer's step as nodes, one for each group, from {parameter: gradient}."""
    nodes = []
    for group in optimizer.param_groups:
        names, memory = optimizer.names(group), group.memory
        tensors = [leaf("buffer", memory, Spec(memory.shape, memory.dtype))]
        for parameter in group["params"]:
            tensor = parameter.__tensor__()
            if tensor in grads:
                state = optimizer.state[id(parameter)]
                tensors += [tensor, grads[tensor]]
                tensors += [leaf("buffer", state[name], Spec(parameter.shape)) for name in names]
        if len(tensors) > 1:
            nodes.append(Node(Update(optimizer.kernel(group), 2 + len(names)), tuple(tensors), (),
                              Origin()))
    return tuple(nodes)


def _as_spec(value: Any, like: Any = None) -> Any:
    """Specs from shapes; a shape alone has the dtype of its counterpart in `like`, or float32."""
    if isinstance(value, Spec):
        return value
    if all(isinstance(size, (int, np.integer)) for size in value):
        dtype = like.dtype if isinstance(like, Spec) else FLOAT
        return Spec(tuple(int(size) for size in value), dtype)
    parts = like if isinstance(like, tuple) and len(like) == len(value) else [None] * len(value)
    return tuple(_as_spec(part, other) for part, other in zip(value, parts, strict=True))


def _first_non_finite(compiled: Compiled, model: Module) -> str:
    """Where the first value comes from that is not finite."""
    for name, parameter in model.named_parameters():
        if not all_finite(parameter.memory):
            return f"the parameter {name} is not finite"
    node = compiled.first_non_finite()
    if node is not None:
        return (f"the first value that is not finite comes from {node.scope or 'the model'} "
                f"({node.op.name})")
    return "all values before it are finite"


def value_and_grad(
    model: Module, loss: Any, layout: str = "NCHW"
) -> Callable[[Any, Any], tuple[float, dict[str, np.ndarray]]]:
    """A function of (x, y) that returns (loss, {parameter name: gradient}).

    Nothing of the model changes, running statistics included.
    """
    cache = PlanCache(lambda: modes(model, loss))

    def make(specs: tuple[Any, Any]) -> Compiled:
        inputs, outputs, value, _ = _loss_graph(model, loss, *specs, layout)
        wanted = [p.__tensor__() for p in _trainable(model, loss).values()]
        grads = gradients(value, wanted)
        graph = Graph.trace(inputs, (value, *grads), (), [value, *outputs])
        return Compiled(graph, specs=specs, arena=free_arena())

    def compute(x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
        compiled = cache.bind((x, y), ("x", "y"), make)
        names = _trainable(model, loss)
        with compiled.turn():
            compiled.executor.compute()
            return compiled.first(), {name: compiled.read(1 + i) for i, name in enumerate(names)}

    return compute


_caches: WeakKeyDictionary[Module, PlanCache] = WeakKeyDictionary()  # values know no module


def _cache_of(model: Module) -> PlanCache:
    if model not in _caches:
        known = ref(model)
        _caches[model] = PlanCache(lambda: modes(known()))
    return _caches[model]


def run_module(model: Module, inputs: Sequence[Any]) -> Any:
    """The output of a module for arrays; in training mode, running statistics move."""
    def make(specs: tuple[Any, ...]) -> Compiled:
        traced = trace(model, specs)
        outputs = tuple(flat(traced.output))
        graph = Graph.trace(traced.inputs, outputs, traced.updates, outputs)
        return Compiled(graph, memory_limit(), specs, traced.output, free_arena())

    names = [f"input {i}" for i in range(len(inputs))]
    compiled = _cache_of(model).bind(tuple(inputs), names, make, memory_limit())
    with compiled.turn():
        compiled.executor.compute()
        compiled.executor.update()
        results = [compiled.read(i) for i in range(len(compiled.graph.outputs))]
    if compiled.draws:
        next_step()
    return like(compiled.nesting, results)


set_runner(run_module)
