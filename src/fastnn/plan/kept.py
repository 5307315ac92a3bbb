"""Split off what depends on parameters alone: computed once, kept until a parameter changes.

So a net in evaluation mode packs and transforms its weights once and not in every call. The graph
that is left reads kept values as leaves; a second graph computes them.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from weakref import WeakValueDictionary

import numpy as np

from fastnn.graph import Graph, Leaf, Node, Tensor, add_new, leaf, same
from fastnn.nn.parameter import Stored
from fastnn.ops.convolution import Forward
from fastnn.ops.function import PythonOp
from fastnn.ops.keep import keep
from fastnn.ops.pack_weight import pack, packed_spec, packing_key, with_packed
from fastnn.runtime.arena import aligned_array
from fastnn.spec import FLOAT, Spec, storage_shape

GROWTH = 4  # a value is kept if it is at most so many times as large as what it is computed from

_memories: WeakValueDictionary[Hashable, np.ndarray] = WeakValueDictionary()


class Kept:
    """The memory of a kept value, which exists between `allocate` and `free`.

    key: what is computed from what. Plans that keep the same, for other batches, share its memory;
    each of them computes it when it has to, to the same bits.
    """

    def __init__(self, spec: Spec, key: Hashable) -> None:
        self.spec, self.key = spec, key
        self.memory: np.ndarray | None = None

    @property
    def new_bytes(self) -> int:
        """Bytes that `allocate` would take."""
        return 0 if self.key in _memories else self.spec.bytes

    def allocate(self) -> None:
        """Take the memory, resident from now on."""
        self.memory = _memories.get(self.key)
        if self.memory is None:
            self.memory = aligned_array(storage_shape(self.spec.shape), self.spec.dtype)
            self.memory[...] = 0
            _memories[self.key] = self.memory

    def free(self) -> None:
        """Free the memory, once no program has it."""
        self.memory = None


@dataclass(frozen=True)
class Split:
    """graph: reads kept values. values: computes them, from `sources`."""

    graph: Graph
    values: Graph
    kept: tuple[Kept, ...]
    sources: tuple[Stored, ...]

    @property
    def new_bytes(self) -> int:
        """Bytes of kept values that no other plan keeps."""
        return sum(kept.new_bytes for kept in self.kept)


class _Splitter:
    """Builds the two graphs of a `Split`."""

    def __init__(self) -> None:
        self.steady: set[Node] = set()  # nodes whose values only a change of parameters changes
        self.kept: list[Kept] = []
        self.values: list[Tensor] = []
        self._reads: dict[Tensor, Tensor] = {}
        self._keys: dict[Tensor, str] = {}

    def rule(self, node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """What a node becomes in the graph that reads kept values; see `Graph.rewrite`."""
        op = node.op
        if not op.effect and op.replayable and not isinstance(op, PythonOp) and all(
                map(self._is_steady, node.inputs)):
            self.steady.add(node)
            return None
        spec = packed_spec(node)
        if isinstance(op, Forward) and spec and self._is_steady(node.inputs[op.weight_at]):
            weight = self._key(node.inputs[op.weight_at])
            packed = self._memory(spec, (packing_key(node), weight))
            self.values.append(pack(node, packed))
            return with_packed(node, tuple(map(self._read, inputs)), packed).outputs
        changed = tuple(map(self._read, inputs))
        return None if same(changed, inputs) else _with_inputs(node, changed).outputs

    def _is_steady(self, tensor: Tensor) -> bool:
        op = tensor.node.op
        if isinstance(op, Leaf):
            return op.kind == "constant" or isinstance(op.source, Stored)
        return tensor.node in self.steady

    def _read(self, tensor: Tensor) -> Tensor:
        """What the graph reads in place of a value."""
        if tensor.node not in self.steady:
            return tensor
        if tensor not in self._reads:
            self._reads[tensor] = self._kept(tensor)
        return self._reads[tensor]

    def _kept(self, tensor: Tensor) -> Tensor:
        """A steady value in memory of its own; computed anew where that would take much more."""
        node = tensor.node
        is_large = tensor.bytes > GROWTH * sum(value.bytes for value in node.inputs)
        if node.op.view_of(node) is None and not is_large and tensor.dtype == FLOAT:
            memory = self._memory(tensor.spec, self._key(tensor))
            self.values.append(keep(tensor, memory))
            return memory
        changed = tuple(map(self._read, node.inputs))
        if same(changed, node.inputs):
            return tensor
        return _with_inputs(node, changed).outputs[tensor.index]

    def _key(self, tensor: Tensor) -> str:
        """Equal for values that are computed from the same parameters by the same operations."""
        if tensor not in self._keys:
            node, op = tensor.node, tensor.node.op
            # A source lives as long as any plan with this key.
            what = id(op.source) if isinstance(op, Leaf) else (
                type(op), op, tensor.index, *map(self._key, node.inputs))
            self._keys[tensor] = sha256(repr(what).encode()).hexdigest()
        return self._keys[tensor]

    def _memory(self, spec: Spec, key: Hashable) -> Tensor:
        self.kept.append(Kept(spec, key))
        return leaf("kept", self.kept[-1], spec)


def _with_inputs(node: Node, inputs: tuple[Tensor, ...]) -> Node:
    return Node(node.op, inputs, [tensor.spec for tensor in node.outputs], node.origin)


def split(graph: Graph) -> Split | None:
    """A fused graph that changes no state, in two; None if nothing in it is worth keeping."""
    if graph.first_update < len(graph.nodes):
        return None
    splitter = _Splitter()
    left = graph.rewrite(splitter.rule)
    if not splitter.kept:
        return None
    nodes: dict[Node, None] = {}  # those of one value after another, so that little is in memory
    for tensor in splitter.values:
        add_new(tensor.node, nodes)
    values = Graph(tuple(nodes), (), tuple(splitter.values), len(nodes))
    sources = [op.source for tensor in values.leaves() if isinstance(op := tensor.node.op, Leaf)
               and isinstance(op.source, Stored)]
    return Split(left, values, tuple(splitter.kept), tuple(sources))
