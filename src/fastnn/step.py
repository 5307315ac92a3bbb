"""Tie the stages together: trace, differentiate, plan, run.

`TrainStep` makes one step of training, `value_and_grad` gives a loss and its gradients, and calling
a module with arrays computes its output. Each keeps a few plans, one for each shape and mode.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn._kernels.checks import all_finite, index_range
from fastnn._kernels.inputs import Input, Inputs
from fastnn.autodiff import gradients
from fastnn.graph import (
    FLOAT,
    INDEX,
    Graph,
    Leaf,
    Node,
    ShapeError,
    Spec,
    Tensor,
    leaf,
    scope,
    storage_shape,
)
from fastnn.nn.module import Module, set_runner
from fastnn.nn.parameter import Parameter, versions
from fastnn.ops.conv_algorithm import get_conv_algorithm
from fastnn.ops.cross_entropy import CrossEntropy
from fastnn.ops.update import Update
from fastnn.plan.build import build
from fastnn.plan.plan import Plan
from fastnn.runtime.executor import Executor
from fastnn.runtime.random import next_step, random_key, streams
from fastnn.runtime.threads import get_num_threads
from fastnn.trace import flat, like, trace

PLANS_KEPT = 8
Budget = int | str | None
Settings = tuple[tuple[int, int], int, str, Budget]


class NonFiniteError(FloatingPointError):
    """NaN or infinity in data, or in a loss; names the first layer that produced it."""


def as_input(value: Any, name: str) -> np.ndarray:
    """A C-contiguous float32 or int64 array with the values given; TypeError or ValueError."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = np.ascontiguousarray(array, dtype=FLOAT).reshape(array.shape)
        if not all_finite(array):
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise NonFiniteError(f"{name} has a non-finite value at index {where}")
    elif array.dtype.kind in "iu":
        array = np.ascontiguousarray(array, dtype=INDEX).reshape(array.shape)
    else:
        raise TypeError(f"{name} must be an array of floats or integers, got {array.dtype}")
    if array.size == 0:
        raise ShapeError(f"{name} is empty: shape {array.shape}")
    return array


def _arrays(value: Any, name: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_arrays(part, f"{name}[{i}]") for i, part in enumerate(value))
    return as_input(value, name)


def _specs(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_specs(part) for part in value)
    return Spec(value.shape, value.dtype)


class Compiled:
    """A plan with its program and memory.

    specs: of the inputs, in the tuples that they come in, for `take`. nesting: the tuples of the
    outputs.
    """

    def __init__(
        self, graph: Graph, memory_budget: Budget = None, specs: Any = (), nesting: Any = None
    ) -> None:
        self.graph, self.nesting = graph, nesting
        self.plan: Plan = build(graph, get_num_threads(), memory_budget)
        calls, split = self.plan.calls()
        places = {new: self.plan.place(new) for new in self.plan.graph.outputs}
        self.executor = Executor(calls, split, self.plan.layout.arena_bytes, places,
                                 self.plan.graph.inputs, self.plan.threads)
        self.draws = random_key() in graph.leaves()
        self.class_checks = [
            (node.inputs[1].node.op.source, node.inputs[0].shape[1], node.op.ignore_index)
            for node in graph.nodes
            if isinstance(node.op, CrossEntropy) and isinstance(node.inputs[1].node.op, Leaf)
            and node.inputs[1].node.op.kind == "input"]
        self._first = (0, 0)
        if graph.outputs:
            self._first = self.executor.locate(self.plan.graph.outputs[0])
        expected = self._expected(specs, iter(range(len(graph.inputs))))
        self._inputs = Inputs(self.executor.program, expected)

    def _expected(self, spec: Any, numbers: Iterator[int]) -> Any:
        """What inputs of these specs must be to be read where they lie."""
        if isinstance(spec, tuple):
            return tuple(self._expected(part, numbers) for part in spec)
        number = next(numbers)
        limits = [(classes, ignored) for source, classes, ignored in self.class_checks
                  if source == number]
        return Input(self.executor.input_slots[number], spec.shape, spec.dtype, limits)

    def read(self, position: int) -> np.ndarray:
        """A copy of the graph's output `position`."""
        return self.executor.read(self.plan.graph.outputs[position])

    def first(self) -> float:
        """The graph's first output, a scalar."""
        return self.executor.program.number(*self._first)  # type: ignore[no-any-return]

    def take(self, values: tuple[Any, ...]) -> bool:
        """Bind arrays that need neither conversion nor an error message; whether these do not."""
        return self._inputs.take(values)  # type: ignore[no-any-return]

    def bind(self, arrays: Sequence[np.ndarray]) -> None:
        """Take the arrays of a call, after checking class numbers."""
        for number, classes, ignored in self.class_checks:
            least, largest = index_range(arrays[number], ignored)
            if least <= largest and (least < 0 or largest >= classes):
                raise ValueError(f"target has class numbers from {least} to {largest}, expected "
                                 f"0 to {classes - 1}")
        self.executor.bind(arrays)


def modes(*owners: Any, parameters: Iterable[Parameter] = ()) -> tuple[bool, ...]:
    """What a graph depends on beside shapes: training flags, and which parameters are trained."""
    modules = [owner for owner in owners if isinstance(owner, Module)]
    flags = [part.training for module in modules for part in module.modules()]
    trained = [p.requires_grad for module in modules for p in module.parameters()]
    return (*flags, *trained, *(p.requires_grad for p in parameters))


def _settings(budget: Budget) -> Settings:
    """What every plan depends on beside shapes and modes; the versions stand for the modes."""
    return versions(), get_num_threads(), get_conv_algorithm(), budget


class PlanCache:
    """The last few compiled graphs, by shapes, modes and whatever else they depend on."""

    def __init__(self, find_modes: Callable[[], tuple[bool, ...]]) -> None:
        self._modes = find_modes
        self._kept: OrderedDict[Any, Compiled] = OrderedDict()
        self._last: tuple[Settings, Compiled, Any] | None = None

    def bind(
        self, values: tuple[Any, ...], names: Sequence[str], make: Callable[[Any], Compiled],
        budget: Budget = None,
    ) -> Compiled:
        """The compiled graph that takes these arrays, and has taken them.

        Raises as `as_input` and `make`, and ValueError for impossible class numbers.
        """
        last = self._last
        if last is not None and last[0] == _settings(budget) and last[1].take(values):
            return last[1]
        arrays = tuple(map(_arrays, values, names))
        compiled = self.get(_specs(arrays), make, budget)
        compiled.bind(flat(arrays))
        return compiled

    def get(self, specs: Any, make: Callable[[Any], Compiled], budget: Budget = None) -> Compiled:
        """The compiled graph for inputs of these specs, made if need be."""
        settings = _settings(budget)
        if self._last is not None and (self._last[0], self._last[2]) == (settings, specs):
            return self._last[1]
        self._forget(settings[0][0])
        compiled = self._kept.pop(self._key(specs, settings), None)
        if compiled is None:
            compiled = make(specs)
            settings = _settings(budget)
        self._kept[self._key(specs, settings)] = compiled
        while len(self._kept) > PLANS_KEPT:
            self._kept.popitem(last=False)
        self._last = (settings, compiled, specs)
        return compiled

    def _key(self, specs: Any, settings: Settings) -> tuple[Any, ...]:
        (structure, _), *others = settings
        return structure, specs, *others, self._modes()

    def _forget(self, structure: int) -> None:
        """Give back the memory of plans for modules as they no longer are."""
        for full in [full for full in self._kept if full[0] != structure]:
            del self._kept[full]
        if self._last is not None and self._last[0][0][0] != structure:
            self._last = None


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
    if not isinstance(value, Tensor) or value.size != 1:
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
    optimizer: over the model's parameters. memory_budget: bytes of the process, or text like
    "512MiB"; None for no limit. layout: "NCHW", or "NHWC" for channels-last images. Calling it
    with (x, y) returns the loss as a float; several inputs or targets are tuples.

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
        self.memory_budget, self.layout, self.keep_output = memory_budget, layout, keep_output
        self._cache = PlanCache(self._modes)
        self._compiled: Compiled | None = None

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
        return Compiled(graph, self.memory_budget, specs)

    def __call__(self, x: Any, y: Any) -> float:
        compiled = self._cache.bind((x, y), ("x", "y"), self._make, self.memory_budget)
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
        """The model's output in the last step (with keep_output=True); a copy."""
        if self._compiled is None or not self.keep_output:
            raise RuntimeError("no output is kept: use keep_output=True and make a step first")
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
        return self._cache.get(specs, self._make, self.memory_budget).plan


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
                              ""))
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
    """Run the forward nodes again, keeping all values, and name the first that is not finite."""
    graph = compiled.graph
    for name, parameter in model.named_parameters():
        if not all_finite(parameter.memory):
            return f"the parameter {name} is not finite"
    nodes = graph.nodes[:graph.forward_nodes]
    outputs = tuple(t for node in nodes for t in node.outputs if t.dtype == FLOAT)
    probe = Compiled(Graph(nodes, graph.inputs, outputs, len(nodes), len(nodes)))
    probe.executor.bind(compiled.executor.inputs)
    probe.executor.compute()
    for position, tensor in enumerate(outputs):
        if not np.isfinite(probe.read(position)).all():
            node = tensor.node
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
        return Compiled(Graph.trace(inputs, (value, *grads), (), [value, *outputs]), specs=specs)

    def compute(x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
        compiled = cache.bind((x, y), ("x", "y"), make)
        compiled.executor.compute()
        names = _trainable(model, loss)
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
        return Compiled(graph, specs=specs, nesting=traced.output)

    names = [f"input {i}" for i in range(len(inputs))]
    compiled = _cache_of(model).bind(tuple(inputs), names, make)
    compiled.executor.compute()
    compiled.executor.update()
    if compiled.draws:
        next_step()
    results = [compiled.read(i) for i in range(len(compiled.graph.outputs))]
    return like(compiled.nesting, results)


set_runner(run_module)
