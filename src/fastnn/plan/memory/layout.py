"""Memory layout: lifetimes of buffers, sharing between them, and offsets in the arena.

A view shares its input's memory. An operation may overwrite an input that nobody reads later. The
remaining buffers are packed (`packing`). Large buffers are staggered against each other
(`runtime/arena.py`), in the order in which a step makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fastnn.graph import Graph, Leaf, Tensor
from fastnn.plan.memory.packing import pack
from fastnn.plan.select import Step
from fastnn.runtime.arena import ALIGNMENT, PAGE, STAGGERED, stagger


def reserved_bytes(size: int) -> int:
    """Bytes that a buffer takes in the arena; a large one may begin anywhere in its first page.

    >>> [reserved_bytes(size) for size in (0, 1, 64, 65536)]
    [0, 64, 64, 69568]
    """
    slack = PAGE - ALIGNMENT if size >= STAGGERED else 0
    return -(-(size + slack) // ALIGNMENT) * ALIGNMENT


@dataclass
class Storage:
    """Memory of one or more tensors, alive from step `first` through step `last`."""

    bytes: int
    first: int
    last: int
    tensors: list[Tensor] = field(default_factory=list)
    offset: int = 0

    @property
    def reserved(self) -> int:
        """Bytes that it takes in the arena."""
        return reserved_bytes(self.bytes)


@dataclass(frozen=True)
class Layout:
    """Where everything lies: storages by tensor, leaves of views by tensor, workspaces by step."""

    storages: dict[Tensor, Storage]
    leaves: dict[Tensor, Tensor]
    workspaces: dict[int, Storage]
    arena_bytes: int

    def live_bytes(self, step: int) -> int:
        """Bytes in use while a step runs."""
        every = {id(s): s for s in (*self.storages.values(), *self.workspaces.values())}
        return sum(s.bytes for s in every.values() if s.first <= step <= s.last)


def _last_reads(graph: Graph, steps: Sequence[Step]) -> dict[Tensor, int]:
    last: dict[Tensor, int] = {}
    for i, step in enumerate(steps):
        for tensor in (*step.node.inputs, *step.node.outputs):
            last[tensor] = i
    last.update({tensor: len(steps) for tensor in graph.outputs})
    return last


def layout(graph: Graph, steps: Sequence[Step], room: int | None = None) -> Layout:
    """Storages, shared where possible, and their offsets, within `room` bytes if possible."""
    last = _last_reads(graph, steps)
    storages: dict[Tensor, Storage] = {}
    leaves = {tensor: tensor for tensor in graph.leaves()}
    workspaces: dict[int, Storage] = {}
    # A view extends the life of its source, so views are resolved before sharing.
    base: dict[Tensor, Tensor] = {}
    for step in steps:
        number = step.node.op.view_of(step.node)
        if number is not None:
            source = step.node.inputs[number]
            base[step.node.outputs[0]] = base.get(source, source)
    for view, source in base.items():
        last[source] = max(last[source], last[view])
    for i, step in enumerate(steps):
        node = step.node
        for position, tensor in enumerate(node.outputs):
            if tensor in base:
                _share_view(tensor, base[tensor], storages, leaves)
                continue
            taken = _overwritten(step, i, last, storages, base) if position == 0 else None
            storage = taken or Storage(max(tensor.bytes, 1), i, i)
            storage.last = max(storage.last, last.get(tensor, i))
            storage.tensors.append(tensor)
            storages[tensor] = storage
        if step.workspace_bytes:
            workspaces[i] = Storage(step.workspace_bytes, i, i)
    unique = {id(s): s for s in (*storages.values(), *workspaces.values())}
    return Layout(storages, leaves, workspaces, place(list(unique.values()), room))


def _share_view(
    tensor: Tensor, source: Tensor, storages: dict[Tensor, Storage], leaves: dict[Tensor, Tensor]
) -> None:
    if isinstance(source.node.op, Leaf):
        leaves[tensor] = source
    else:
        storages[tensor] = storages[source]
        storages[source].tensors.append(tensor)


def _overwritten(
    step: Step, i: int, last: dict[Tensor, int], storages: dict[Tensor, Storage],
    base: dict[Tensor, Tensor],
) -> Storage | None:
    """The storage of an input that this step may overwrite, if there is one."""
    node = step.node
    owners = [storages.get(tensor) for tensor in node.inputs]
    for number in node.op.overwrites(node):
        storage = owners[number]
        if (storage is None or storage.last > i or owners.count(storage) > 1
                or storage.bytes != max(node.outputs[0].bytes, 1)):
            continue
        if all(last[base.get(tensor, tensor)] <= i for tensor in storage.tensors):
            return storage
    return None


def place(storages: Sequence[Storage], room: int | None = None) -> int:
    """Give each storage an offset; returns the bytes of the arena, within `room` if possible."""
    rows = np.array([(s.reserved, s.first, s.last) for s in storages], np.int64).reshape(-1, 3)
    sizes, first, last = np.ascontiguousarray(rows.T)
    offsets, total = pack(sizes, first, last, room)
    for storage, offset in zip(storages, offsets.tolist(), strict=True):
        storage.offset = offset
    large = (storage for storage in storages if storage.bytes >= STAGGERED)
    for number, storage in enumerate(sorted(large, key=lambda s: s.first)):
        storage.offset += (stagger(number) - storage.offset) % PAGE
    return total
