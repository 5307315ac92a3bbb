"""Run a planned computation: one arena, a flat list of kernel calls, arrays in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastnn._kernels.program import Program
from fastnn._kernels.registry import kernel
from fastnn.blas import one_blas_thread
from fastnn.graph import Leaf, Tensor
from fastnn.runtime.locks import lock_released, process_lock
from fastnn.runtime.shared import Arena
from fastnn.spec import logical_view, storage_shape


@dataclass(frozen=True)
class Place:
    """The location of a buffer: in the arena (memory is None) or in a leaf's own memory."""

    memory: Tensor | None
    offset: int
    bytes: int


@dataclass(frozen=True)
class PlacedCall:
    """One kernel call and the places of its buffers; kernel "python" runs `python` on `tensors`.

    threads: its team size.
    """

    kernel: str
    buffers: tuple[Place | None, ...]  # None: an operand that is absent
    threads: int
    d: tuple[int, ...] = ()
    s: tuple[float, ...] = ()
    python: Callable[..., Sequence[np.ndarray]] | None = None
    tensors: tuple[Tensor, ...] = ()
    outputs: int = 0


class Executor:
    """A frozen program with its memory. `split` is the number of calls before state changes.

    arena: the memory it shares with others, or None for one of its own.
    """

    def __init__(
        self,
        calls: Sequence[PlacedCall],
        split: int,
        arena_bytes: int,
        places: Mapping[Tensor, Place],
        inputs: Sequence[Tensor],
        threads: int,
        arena: Arena | None = None,
    ) -> None:
        self.program = Program(threads)
        self.arena_bytes = arena_bytes
        self.places = places
        self.split, self.count = split, len(calls)
        uses_blas = any(call.python is None and kernel(call.kernel).uses_blas for call in calls)
        self._run_kernels: Callable[[int, int], None] = (
            partial(_run_with_blas, self.program) if uses_blas else self.program.run)
        self._python = {i: call for i, call in enumerate(calls) if call.python is not None}
        self.calls_python = bool(self._python)  # then a run releases `process_lock`
        # Whether a run writes nothing but the arena, and needs nothing but its kernels.
        self.may_run_beside = (split == len(calls) and not uses_blas and not self._python
                               and all(place.memory is None for place in places.values()))
        self._views: list[np.ndarray] | None = None
        # run(first, last): calls first .. last - 1
        self.run = self._run_with_python if self._python else self._run_kernels
        self._slots: dict[Tensor | None, int] = {None: self.program.add_slot(arena_bytes)}
        self._null = self.program.add_null_slot()
        leaves = {p.memory for call in calls for p in call.buffers if p} | set(inputs)
        leaves |= {place.memory for place in places.values()}
        known = [tensor for tensor in leaves if tensor is not None]
        for tensor in sorted(known, key=lambda tensor: tensor.node.order):
            self._slots[tensor] = self.program.add_slot(tensor.bytes)
        for call in calls:
            self._add(call)
        self.program.freeze()
        self.arena = Arena() if arena is None else arena
        self.arena.join(self, arena_bytes)
        for owner, slot in self._slots.items():
            if owner is not None and owner.node.op.name != "input":
                self.program.bind(slot, leaf_memory(owner))
        self.input_slots = [self._slots[tensor] for tensor in inputs]

    def _add(self, call: PlacedCall) -> None:
        if call.python is not None:
            self.program.add_pause()
            return
        buffers = [(self._slots[p.memory], p.offset, p.bytes) if p else (self._null, 0, 0)
                   for p in call.buffers]
        self.program.add(kernel(call.kernel), buffers, call.d, call.s, call.threads)

    def _run_with_python(self, first: int, last: int) -> None:
        with process_lock:
            for pause, call in self._python.items():
                if first <= pause < last:
                    self._run_kernels(first, pause)
                    self._run_python(call)
                    first = pause + 1
            self._run_kernels(first, last)

    def _run_python(self, call: PlacedCall) -> None:
        """Call a user's function with read-only copies, which it may keep."""
        arrays = [self.view(tensor, place)
                  for tensor, place in zip(call.tensors, call.buffers, strict=True) if place]
        inputs = [array.copy() for array in arrays[:-call.outputs]]
        for array in inputs:
            array.flags.writeable = False  # a write would have no effect on the net
        assert call.python is not None
        with lock_released():
            values = call.python(*inputs)
        for output, value in zip(arrays[-call.outputs:], values, strict=True):
            output[...] = value

    def move(self, memory: np.ndarray) -> None:
        """Use this memory as the arena from now on."""
        self._views = None  # they would keep the old one
        self.program.bind(0, memory)

    def move_to(self, arena: Arena) -> None:
        """Share the memory of another arena from now on."""
        self.arena.leave(self)
        self.arena = arena
        arena.join(self, self.arena_bytes)

    def reads(self, owner: Tensor) -> bool:
        """Whether a call reads a leaf; none does for tensors without elements."""
        return owner in self._slots

    def own_copy(self, owner: Tensor) -> np.ndarray:
        """Read a leaf from memory of this executor's own, from now on."""
        copy = leaf_memory(owner).copy()
        self.program.bind(self._slots[owner], copy)
        return copy

    def memory(self, owner: Tensor | None) -> np.ndarray:
        """The arena (None), or the memory of a leaf."""
        return self.program.array(self._slots[owner])  # type: ignore[no-any-return]

    def view(self, tensor: Tensor, place: Place) -> np.ndarray:
        """A value in place, with its logical axes."""
        memory = self.memory(place.memory).reshape(-1).view(np.uint8)
        flat = memory[place.offset:place.offset + tensor.bytes].view(tensor.dtype)
        return logical_view(flat, tensor.shape)

    def bind(self, arrays: Sequence[np.ndarray]) -> None:
        """Use these contiguous arrays as the inputs."""
        for slot, array in zip(self.input_slots, arrays, strict=True):
            self.program.bind(slot, array)

    def release_inputs(self) -> None:
        """Release the inputs, which would otherwise stay in memory until the next ones."""
        for slot in self.input_slots:
            self.program.release(slot)

    def release(self, kind: str) -> None:
        """Release the memory of all leaves of a kind; nothing runs any more."""
        for owner, slot in self._slots.items():
            if owner is not None and owner.node.op.name == kind:
                self.program.release(slot)

    @property
    def inputs(self) -> list[np.ndarray]:
        """The arrays that are bound as inputs."""
        return [self.program.array(slot) for slot in self.input_slots]

    def compute(self) -> None:
        """Run all calls before the state changes."""
        self.run(0, self.split)

    def update(self) -> None:
        """Run the state changes."""
        self.run(self.split, self.count)

    def read(self, tensor: Tensor) -> np.ndarray:
        """A copy of a value that the plan keeps until the end, as a contiguous array."""
        return np.array(self.view(tensor, self.places[tensor]), order="C")

    def views(self, results: Sequence[Tensor]) -> list[np.ndarray]:
        """These values, always the same ones, in place; another list once the arena has moved."""
        if self._views is None:
            self._views = [self.view(tensor, self.places[tensor]) for tensor in results]
        return self._views

    def locate(self, tensor: Tensor) -> tuple[int, int]:
        """Slot and offset, for `program.number`, of a value that the plan keeps until the end."""
        place = self.places[tensor]
        return self._slots[place.memory], place.offset


def _run_with_blas(program: Program, first: int, last: int) -> None:
    with one_blas_thread():
        program.run(first, last)


def leaf_memory(tensor: Tensor) -> np.ndarray:
    """The memory of a parameter, buffer or constant, in storage order."""
    op = tensor.node.op
    assert isinstance(op, Leaf)
    memory: Any = getattr(op.source, "memory", op.source)
    if memory.shape != storage_shape(tensor.shape) or memory.dtype != tensor.dtype:
        raise ValueError(f"{op.kind} has memory {memory.shape} {memory.dtype}, expected "
                         f"{storage_shape(tensor.shape)} {tensor.dtype}")
    return memory  # type: ignore[no-any-return]
