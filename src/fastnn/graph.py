"""The graph: symbolic tensors, the nodes that make them, and a whole computation.

Everything here is immutable: a stage of the plan takes a graph and returns another. This file
knows no operations; `ops/` has one file for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from fastnn import context
from fastnn.context import Origin
from fastnn.habits import FORWARD, habit
from fastnn.operators import Operators
from fastnn.spec import FLOAT, INDEX, Shape, Spec, storage_axes

_order = itertools.count()


@dataclass(frozen=True)
class Call:
    """One kernel call: its buffers are tensors of the graph; workspace is added by the plan.

    A buffer is None where the call has no such operand: the kernel gets a null pointer.
    """

    kernel: str
    buffers: tuple[Tensor | None, ...]
    d: tuple[int, ...] = ()
    s: tuple[float, ...] = ()


@dataclass(frozen=True)
class ClassNumbers:
    """An input of integers from `least` to `classes` - 1, or `ignored`; by default class numbers.

    axis: what the integers are places of, for the error, where they are no class numbers.
    """

    tensor: Tensor
    classes: int
    ignored: int
    least: int = 0
    axis: str = ""

    def fault(self, least: int, largest: int) -> str:
        """"" if all integers are in their range, or what is wrong."""
        if self.least <= least and largest < self.classes:
            return ""
        expected = f"from {least} to {largest}, expected {self.least} to {self.classes - 1}: "
        if self.axis:
            return f"indices are {expected}{self.axis} has {self.classes} places"
        return f"target has class numbers {expected}the output has {self.classes}"

    def input_number(self) -> int | None:
        """The number of the input that holds the integers; None if they are computed."""
        op = unshaped(self.tensor).node.op
        return int(op.source) if isinstance(op, Leaf) and op.kind == "input" else None


class Op:
    """One operation; subclasses are frozen dataclasses whose fields are its arguments.

    `flops` is for people to read; the planner predicts time from `work`. An operation that changes
    state (running statistics, an optimizer's update) has no outputs and sets `effect`. An operation
    whose result may differ from run to run clears `replayable`. One that only moves the elements of
    its one input, all of them, sets `keeps_elements`.
    """

    effect: ClassVar[bool] = False
    replayable: ClassVar[bool] = True
    keeps_elements: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return type(self).__name__

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        """Specs of the outputs, or ShapeError."""
        raise NotImplementedError(f"{self.name} has no shape rule")

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        """Gradients of the inputs from those of the outputs; None where not wanted."""
        forward = self.name.removesuffix("_backward")
        raise TypeError(f"{self.name} has no gradient" if forward == self.name else
                        f"the gradient of {forward} has no gradient")

    def lower(self, node: Node) -> list[Call]:
        """The kernel calls that compute the node."""
        raise NotImplementedError(f"{self.name} has no kernel")

    def view_of(self, node: Node) -> int | None:
        """The input that the output is a view of; None if the output has memory of its own."""
        return None

    def overwrites(self, node: Node) -> Sequence[int]:
        """Inputs whose memory the first output may reuse, if nobody reads them later."""
        return ()

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        """Whether each row of the output depends only on rows of the same example.

        of_batch: which inputs come from the batch; examples lie along the first axis, one or more
        rows for each. If False, a batch that does not fit a memory budget is refused; else it may
        be split.
        """
        return False

    def class_numbers(self, node: Node) -> ClassNumbers | None:
        """The input that holds class numbers or places, and their range; None if there is none."""
        return None

    def recompute_op(self) -> Op:
        """The operation that recomputes the first outputs, bit for bit, from the same inputs.

        It may leave out later outputs that stay in memory, such as batch statistics.
        """
        return self

    def work(self, node: Node) -> Mapping[str, float]:
        """The amount of each kind of work (`plan/cost/predict.py`); by default one memory pass."""
        return {"pass": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        """Floating-point operations."""
        return float(sum(tensor.size for tensor in node.outputs))


class Composed(Op):
    """A backward operation that has no vjp of its own: its gradient is that of what it is made of.

    A kernel computes it, at every step. What it is made of is asked for only where a gradient is
    differentiated again.
    """

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        """The outputs, from the inputs by operations that have gradients."""
        raise NotImplementedError(f"{self.name} is made of nothing")


def moved_bytes(node: Node) -> float:
    """Bytes of everything that a node reads and writes."""
    return float(sum(tensor.bytes for tensor in (*node.inputs, *node.outputs)))


def record_update(op: Op, *inputs: Any) -> None:
    """Add a node that changes state; a step runs it once, after the loss."""
    collected = context.collected()
    if collected is not None:
        collected.append(Node(op, tuple(as_tensor(value) for value in inputs), (),
                              context.origin()))


class Tensor(Operators):
    """A symbolic value: output `index` of `node`."""

    __slots__ = ("index", "node", "spec")

    def __init__(self, node: Node, index: int, spec: Spec) -> None:
        self.node, self.index, self.spec = node, index, spec

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def bytes(self) -> int:
        return self.spec.bytes

    def __tensor__(self) -> Tensor:
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(f"a symbolic tensor is not an array: {FORWARD}; use functions of fastnn, "
                        "or an fn.Function, which computes on arrays")

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(habit("a symbolic tensor", name))

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, dtype={self.dtype}, from={self.node.op.name})"


class Node:
    """One application of an operation."""

    __slots__ = ("inputs", "op", "order", "origin", "outputs")

    def __init__(
        self, op: Op, inputs: tuple[Tensor, ...], specs: Sequence[Spec], origin: Origin
    ) -> None:
        self.op, self.inputs, self.origin = op, inputs, origin
        self.order = next(_order)
        self.outputs = tuple(Tensor(self, i, spec) for i, spec in enumerate(specs))

    @property
    def scope(self) -> str:
        """The path of the layer that made it."""
        return self.origin.path

    def recomputed(self, inputs: tuple[Tensor, ...]) -> Node:
        """A node that recomputes the first outputs from inputs of the same bits."""
        op = self.op.recompute_op()
        return Node(op, inputs, op.infer(*(tensor.spec for tensor in inputs)), self.origin)

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(str(x.shape) for x in self.inputs)})"


@dataclass(frozen=True, eq=False)
class Leaf(Op):
    """A value from outside: kind is "input", "parameter", "buffer" or "constant".

    `source` owns the memory (a parameter, an array), or is the number of an input.
    """

    kind: str
    source: Any
    spec: Spec

    @property
    def name(self) -> str:
        return self.kind

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (self.spec,)

    def flops(self, node: Node) -> float:
        return 0.0


def unshaped(tensor: Tensor) -> Tensor:
    """The value whose elements a tensor has in another shape or order; itself, if there is none."""
    while tensor.node.op.keeps_elements:
        (tensor,) = tensor.node.inputs
    return tensor


def same(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Whether these are the same tensors; `==` would add a comparison to the graph."""
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def leaf(kind: str, source: Any, spec: Spec) -> Tensor:
    """A new symbolic value that comes from outside."""
    return Node(Leaf(kind, source, spec), (), (spec,), Origin()).outputs[0]


def constant(value: Any) -> Tensor:
    """A symbolic value with fixed contents."""
    array = np.asarray(value)
    dtype = INDEX if array.dtype.kind in "iu" and array.ndim else FLOAT
    memory = np.array(array.transpose(storage_axes(array.ndim)), dtype=dtype, order="C")
    return leaf("constant", memory, Spec(array.shape, dtype))


def as_tensor(value: Any) -> Tensor:
    """A tensor or parameter as a Tensor; a number or an array becomes a constant."""
    if hasattr(value, "__tensor__"):
        return value.__tensor__()  # type: ignore[no-any-return]
    if isinstance(value, (int, float, np.ndarray, np.generic)):
        return constant(value)
    hint = ""
    if isinstance(value, (list, tuple)) and any(hasattr(part, "__tensor__") for part in value):
        hint = f" of {len(value)} tensors: take one of them"
    elif isinstance(value, (list, tuple)):
        hint = f"; write np.array({value!r:.60})"
    elif isinstance(value, dict):
        hint = f" with {list(value)!r:.60}: take one of its values"
    elif hasattr(value, "forward"):
        hint = "; a layer is made once and then called, as in self.act = nn.ReLU(); self.act(x)"
    raise TypeError("expected a tensor, a parameter, an array or a number, got "
                    f"{type(value).__name__}{hint}")


def apply_all(op: Op, *inputs: Any) -> tuple[Tensor, ...]:
    """Add a node to the graph and return its outputs."""
    tensors = tuple(as_tensor(value) for value in inputs)
    specs = op.infer(*(tensor.spec for tensor in tensors))
    return Node(op, tensors, specs, context.origin()).outputs


def apply(op: Op, *inputs: Any) -> Tensor:
    """Add a node with one output to the graph and return the output."""
    return apply_all(op, *inputs)[0]


def add_new(node: Node, nodes: dict[Node, None]) -> None:
    """Add a node, after the nodes that it needs and that are not there yet."""
    if node not in nodes and not isinstance(node.op, Leaf):
        for tensor in node.inputs:
            add_new(tensor.node, nodes)
        nodes[node] = None


@dataclass(frozen=True)
class Graph:
    """A whole computation: its nodes in order of execution, without leaves.

    `first_update` is the number of nodes before the state changes (running statistics,
    optimizer), which run only if the loss is finite.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    first_update: int
    forward_nodes: int = 0

    @classmethod
    def trace(
        cls,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        updates: Sequence[Node] = (),
        forward: Sequence[Tensor] = (),
    ) -> Graph:
        """The nodes that `outputs` and `updates` need, in the order of their creation.

        updates: state changes, and what is only to be computed for them, once they are certain, in
        the order in which they run: at the end.
        """
        found, last_nodes = dict[Node, None](), set(updates)
        roots = [t.node for t in outputs] + [t.node for node in updates for t in node.inputs]
        stack = list(roots)
        while stack:
            node = stack.pop()
            if node not in found and not isinstance(node.op, Leaf):
                found[node] = None
                stack.extend(tensor.node for tensor in node.inputs)
        last = max((tensor.node.order for tensor in forward), default=-1)
        body = sorted((node for node in found if node not in last_nodes),
                      key=lambda node: node.order)
        count = sum(node.order <= last for node in body)
        return cls((*body, *updates), tuple(inputs), tuple(outputs), len(body), count)

    def leaves(self) -> tuple[Tensor, ...]:
        """Every leaf that a node reads or that is an output, once, in order of first use."""
        every = [tensor for node in self.nodes for tensor in node.inputs] + list(self.outputs)
        return tuple(dict.fromkeys(t for t in every if isinstance(t.node.op, Leaf)))

    def rewrite(
        self, rule: Callable[[Node, tuple[Tensor, ...]], Sequence[Tensor] | None]
    ) -> Graph:
        """A graph with outputs replaced by those of rule(node, new inputs); None keeps the node."""
        new: dict[Tensor, Tensor] = {}
        nodes: dict[Node, None] = {}
        first_update = forward_nodes = 0
        for position, node in enumerate(self.nodes):
            inputs = tuple(new.get(tensor, tensor) for tensor in node.inputs)
            outputs = rule(node, inputs)
            if outputs is None:
                outputs = node.outputs
                if not same(inputs, node.inputs):
                    specs = [tensor.spec for tensor in node.outputs]
                    node = Node(node.op, inputs, specs, node.origin)
                    outputs = node.outputs
                nodes[node] = None
            else:
                for tensor in outputs:
                    add_new(tensor.node, nodes)
            new.update(zip(self.nodes[position].outputs, outputs, strict=True))
            first_update = len(nodes) if position < self.first_update else first_update
            forward_nodes = len(nodes) if position < self.forward_nodes else forward_nodes
        result = Graph(tuple(nodes), self.inputs, tuple(new.get(t, t) for t in self.outputs),
                       first_update, forward_nodes)
        return result.without_dead()

    def without_dead(self) -> Graph:
        """The same graph without nodes that nobody reads."""
        live = set(self.outputs)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if node.op.effect or any(tensor in live for tensor in node.outputs):
                kept.append(node)
                live.update(node.inputs)
        alive = set(kept)
        return Graph(
            tuple(reversed(kept)), self.inputs, self.outputs,
            sum(node in alive for node in self.nodes[: self.first_update]),
            sum(node in alive for node in self.nodes[: self.forward_nodes]),
        )
