"""A small computation, explained: the value and the gradient on each edge of its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from fastnn.autodiff import pulled_back
from fastnn.engine.compiled import Compiled
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph, Leaf, Node, Op, Tensor, constant
from fastnn.insight.flow import Edge, Flow, Place, numbers
from fastnn.nn.module import Module
from fastnn.ops.alias import alias
from fastnn.ops.pointwise import Unary
from fastnn.runtime.locks import process_lock
from fastnn.spec import FLOAT

MOST = 60  # operations that a picture can hold


def explain(f: Module | Callable[..., Any], *inputs: Any) -> Flow:
    """Draw a small computation: on each edge a value, and the gradient of the output in it.

    grad = d (sum of the outputs) / d value, by this edge alone. So one sees an addition hand its
    gradient on to both inputs, a maximum to the larger one, and a multiplication swap its inputs.

    f: a module, in its mode of now, or a function of symbolic tensors, such as
    `lambda x, y: x * y + x`, whose arguments are named as it names them. inputs: arrays or numbers,
    one for each argument. Nothing changes: no statistic, no random number.

    Returns a Flow: `print(flow)` is a table, `flow.plot()` a picture, `flow.grad("x")` a gradient.

    Raises ValueError for more than 60 operations; explain a part of the net then, such as
    `model[0]`. What a forward raises for its inputs.

    Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
    1986.

    >>> flow = explain(lambda x, y, z: (x + y) * z, -2.0, 5.0, -4.0)
    >>> print(flow)
    from  to      shape  value  gradient
    ------------------------------------
    x     add     ()     -2     -4
    y     add     ()     5      -4
    add   mul     ()     3      -4
    z     mul     ()     -4     3
    mul   output  ()     -12    1
    """
    if not callable(f):
        raise TypeError(f"explain takes a module or a function of tensors, got {f!r:.60}")
    names = _argument_names(f.forward if isinstance(f, Module) else f, len(inputs))
    arrays = tuple(as_inputs(np.float32(value) if isinstance(value, (int, float)) else value, name)
                   for name, value in zip(names, inputs, strict=True))
    specs = specs_of(arrays)
    with process_lock:
        traced = trace(f, specs)
        graph = Graph.trace(traced.inputs, flat(traced.output))
        if len(graph.nodes) > MOST:
            raise ValueError(f"the graph has {len(graph.nodes)} operations, and explain draws up "
                             f"to {MOST}: explain a part of it, such as a layer of the model")
        named = dict(zip(traced.inputs, _flat_names(names, specs), strict=True))
        if isinstance(f, Module):
            named.update((value.__tensor__(), name) for name, value in
                         (*f.named_parameters(), *f.named_buffers()))
        ways = _Ways(graph, named)
        grads = pulled_back([(end, constant(np.ones(end.shape, FLOAT))) for end in ways.outputs
                             if end.dtype == FLOAT], ways.ends)
        wanted = [*ways.ends, *grads.values()]
        compiled = Compiled(Graph.trace(traced.inputs, wanted), specs=specs)
        compiled.bind(flat(arrays))
        found = compiled.compute(lambda plan: [plan.read(i) for i in range(len(wanted))])
    slopes = dict(zip(grads, found[len(ways.ends):], strict=True))
    return Flow(tuple(ways.places), tuple(
        Edge(source, target, value, slopes.get(end))
        for (source, target), end, value in zip(ways.between, ways.ends, found, strict=False)))


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first arguments; "input 0" and so on where there are none."""
    names = []
    for parameter in signature(function).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return [names[i] if i < len(names) else f"input {i}" for i in range(count)]


def _flat_names(names: Sequence[str], specs: Sequence[Any]) -> list[str]:
    """A name for each array, also for those in a tuple or dict."""
    found = []
    for name, spec in zip(names, specs, strict=True):
        parts = flat(spec)
        found += [name] if len(parts) == 1 else [f"{name}[{i}]" for i in range(len(parts))]
    return found


class _Ways:
    """A graph's copy in which each use of a value has a tensor of its own.

    places: what edges lie between. between: (source, target) of each edge, as numbers of places.
    ends: the tensor of each edge. outputs: the tensors of the edges to outputs.
    """

    def __init__(self, graph: Graph, named: dict[Tensor, str]) -> None:
        self.places: list[Place] = []
        self.between: list[tuple[int, int]] = []
        self.ends: list[Tensor] = []
        self._named, self._numbers = named, dict[Tensor, int]()
        self._new: dict[Tensor, Tensor] = {}
        for node in graph.nodes:
            self._copy(node)
        self.outputs = []
        for place, tensor in enumerate(graph.outputs):
            name = f"output {place}" if len(graph.outputs) > 1 else "output"
            self.outputs += self._arrive([tensor], Place(name, "", True))

    def _copy(self, node: Node) -> None:
        raw = node.inputs[0] if node.inputs else None
        if node.op.name == "from_row_major" and raw in self._named:  # an input as it is stored
            self._named[node.outputs[0]] = self._named[raw]
            return
        ends = self._arrive(node.inputs, Place(_name(node.op), node.scope, False))
        made = Node(node.op, tuple(ends), [tensor.spec for tensor in node.outputs], node.origin)
        self._new.update(zip(node.outputs, made.outputs, strict=True))
        self._numbers.update((tensor, len(self.places) - 1) for tensor in node.outputs)

    def _arrive(self, tensors: Sequence[Tensor], place: Place) -> list[Tensor]:
        """Add a place and the edges to it; the tensors of these."""
        sources = [self._number(tensor) for tensor in tensors]
        self.places.append(place)
        ends = [alias(self._new.get(tensor, tensor)) for tensor in tensors]
        self.ends += ends
        self.between += [(source, len(self.places) - 1) for source in sources]
        return ends

    def _number(self, tensor: Tensor) -> int:
        """The number of the place that a value comes from; of a leaf a new one at its first use."""
        if tensor not in self._numbers:
            op = tensor.node.op
            name = self._named.get(tensor)
            if name is None:
                value = op.source if isinstance(op, Leaf) else None
                name = numbers(value) if isinstance(value, np.ndarray) else op.name
            self._numbers[tensor] = len(self.places)
            self.places.append(Place(name, "", True))
        return self._numbers[tensor]


def _name(op: Op) -> str:
    """What an operation does: its name, and the numbers that belong to a function of one tensor."""
    if not isinstance(op, Unary) or not op.arguments:
        return op.name
    if op.name == "affine" and op.arguments[1] == 0:
        return f"mul {op.arguments[0]:.3g}"
    if op.name == "affine" and op.arguments[0] == 1:
        return f"add {op.arguments[1]:.3g}"
    return f"{op.name} {', '.join(f'{number:.3g}' for number in op.arguments)}"
