"""Pack a convolution's weight once, for a plan that runs many times with the same weights.

Kernels read weights in panels, or transformed by Winograd. With few pixels, packing
them takes a third of a net's time. Packed before, they give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fastnn._kernels.conv.direct import packed_size as direct_size
from fastnn._kernels.winograd.passes import packed_size as winograd_size
from fastnn.graph import Call, Node, Op, Tensor
from fastnn.ops.convolution import Forward
from fastnn.spec import FLOAT, Spec


class Packing(NamedTuple):
    """A kernel that packs weights, and how many bytes they then take; 0 for not at all."""

    kernel: str
    size: Callable[[Sequence[int]], int]


_DIRECT = Packing("conv2d_pack", direct_size)
_WINOGRAD = Packing("winograd_pack", winograd_size)
PACKINGS = {  # of the kernels that exist as "..._packed" too
    "conv2d_forward": _DIRECT,
    "conv2d_forward_normed": _DIRECT,
    "winograd_forward": _WINOGRAD,
    "winograd_forward_normed": _WINOGRAD,
}


@dataclass(frozen=True)
class PackWeight(Op):
    """The weight of a convolution of sizes d as its kernel reads it; inputs weight, memory.

    The output is that memory.
    """

    kernel: str
    d: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.kernel

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[1:]

    def view_of(self, node: Node) -> int | None:
        return 1

    def lower(self, node: Node) -> list[Call]:
        return [Call(self.kernel, (node.inputs[0], node.outputs[0]), self.d)]


def packed_spec(node: Node) -> Spec | None:
    """What the weight of a convolution takes packed; None if the node cannot read it so."""
    op = node.op
    if not isinstance(op, Forward) or op.packed or op.kernel(node) not in PACKINGS:
        return None
    size = PACKINGS[op.kernel(node)].size(_sizes(op, node))
    return Spec((size // FLOAT.itemsize,)) if size else None


def packing_key(node: Node) -> tuple[str, tuple[int, ...]]:
    """How a weight is packed: equal for the same layer on images of any number and size."""
    op = node.op
    assert isinstance(op, Forward)
    return PACKINGS[op.kernel(node)].kernel, op.dims(node)[3:14]


def pack(node: Node, memory: Tensor) -> Tensor:
    """The weight of a convolution that has a `packed_spec`, packed into memory."""
    op = node.op
    assert isinstance(op, Forward)
    kernel = PACKINGS[op.kernel(node)].kernel
    weight = node.inputs[op.weight_at]
    return Node(PackWeight(kernel, _sizes(op, node)), (weight, memory), [memory.spec],
                node.origin).outputs[0]


def with_packed(node: Node, inputs: tuple[Tensor, ...], packed: Tensor) -> Node:
    """A convolution of these inputs that reads its weight packed."""
    op = node.op
    assert isinstance(op, Forward)
    values = (*inputs[:op.weight_at], packed, *inputs[op.weight_at + 1:])
    specs = [tensor.spec for tensor in node.outputs]
    return Node(replace(op, packed=node.inputs[op.weight_at].shape), values, specs, node.origin)


def _sizes(op: Forward, node: Node) -> tuple[int, ...]:
    return (*op.dims(node), 0, 0)
