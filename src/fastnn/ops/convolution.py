"""What every pass of a convolution shares: arguments, sizes, and what its time is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from fastnn.graph import Node, Op, moved_bytes
from fastnn.ops.conv_algorithm import conv_way
from fastnn.ops.conv_kernels import KERNELS, NOTHING, Combination, X
from fastnn.ops.windows import Pair
from fastnn.spec import Shape, Spec

# By stride: values of a tile of x and of y (4x4), for a channel (`_kernels/winograd/simd/table.h`).
TILES = {1: (36, 36), 2: (81, 25)}
LANES = 16  # Winograd takes channels by so many


@dataclass(frozen=True)
class ConvArguments:
    """The arguments of a convolution; padding is ((top, bottom), (left, right)).

    setting: what `set_conv_algorithm` said when it was traced.
    """

    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1
    setting: str = "auto"

    def dims(
        self, x: tuple[int, ...], weight: tuple[int, ...], y: tuple[int, ...]
    ) -> tuple[int, ...]:
        """The sizes that the kernels take, from logical shapes."""
        (n, c, h, w), (k, _, kh, kw) = x, weight
        return (n, h, w, c, k, kh, kw, *self.stride, self.padding[0][0], self.padding[1][0],
                *self.dilation, self.groups, *y[2:])


@dataclass(frozen=True)
class Convolution(Op):
    """One pass of a convolution.

    way: how it is computed (`conv_way`). The plan's first stage sets it (plan/fusion/ways.py), so
    that a graph says what will run; before that it is empty.
    """

    arguments: ConvArguments
    way: str = field(default="", kw_only=True)
    direction: ClassVar[str]

    def dims(self, node: Node) -> tuple[int, ...]:
        """The sizes of the forward pass, as `ConvArguments.dims`."""
        raise NotImplementedError(f"{self.name} has no sizes")

    def way_of(self, node: Node) -> str:
        """How a node is computed: as was chosen, or by the rule."""
        return self.way or conv_way(self.arguments.setting, self.dims(node), self.direction)

    def with_way(self, node: Node) -> Self:
        """The same operation with its way chosen."""
        return replace(self, way=self.way_of(node))

    def operands(self) -> tuple[str, str]:
        """What it reads and what it writes beside its result, as `conv_kernels` names them."""
        return X, NOTHING

    def can(self, node: Node, reads: str = X, beside: str = NOTHING) -> bool:
        """Whether a kernel computes the node the same way with other operands."""
        return Combination(self.way_of(node), self.direction, reads, beside) in KERNELS

    def kernel(self, node: Node) -> str:
        """The name of its kernel."""
        return KERNELS[Combination(self.way_of(node), self.direction, *self.operands())]

    def work(self, node: Node) -> Mapping[str, float]:
        """Products by the way they are computed, and Winograd's transforms.

        A product counts as two operations, one with a tap outside of the image not at all.
        """
        operands, way = moved_bytes(node), self.way_of(node)
        n, h, w, c, k, kh, kw, *steps, groups, oh, ow = self.dims(node)
        if way == "winograd":
            stride = steps[0]
            rows, columns, side = ((h, w, 4 * stride) if self.direction == "grad_input" else
                                   (oh, ow, 4))
            tiles = n * -(-rows // side) * -(-columns // side)
            c, k = -(-c // LANES) * LANES, -(-k // LANES) * LANES
            of_x, of_y = TILES[stride]
            return {"operands": operands, "tile products": 2.0 * of_x * tiles * c * k,
                    "tile values": float(tiles * (of_x * c + of_y * k)),
                    "tile weights": float(of_x * c * k)}
        taps = _inside(h, oh, kh, *steps[::2]) * _inside(w, ow, kw, *steps[1::2])
        kind = ("line products" if way == "planar" else
                "grouped products" if groups > 1 else "products")
        return {"operands": operands, kind: 2.0 * n * taps * (c // groups) * k}

    def flops(self, node: Node) -> float:
        """Of the direct sum, whichever way; other work beside it is `flops_beside`."""
        n, _, _, c, k, kh, kw, *_, groups, oh, ow = self.dims(node)
        return 2.0 * n * oh * ow * k * (c // groups) * kh * kw + self.flops_beside(node)

    def flops_beside(self, node: Node) -> float:
        """Of norms and sums that are computed in the same pass."""
        return 0.0


@dataclass(frozen=True)
class Forward(Convolution):
    """From x, the first input, and a weight to y, the first output.

    packed: the shape of the weight where it is packed (ops/pack_weight.py), else empty.
    """

    packed: Shape = field(default=(), kw_only=True)
    direction = "forward"
    weight_at: ClassVar[int] = 1  # which input is the weight

    def dims(self, node: Node) -> tuple[int, ...]:
        x, weight, y = node.inputs[0], node.inputs[self.weight_at], node.outputs[0]
        return self.arguments.dims(x.shape, self.packed or weight.shape, y.shape)

    def kernel(self, node: Node) -> str:
        return super().kernel(node) + ("_packed" if self.packed else "")

    def filters(self, inputs: Sequence[Spec]) -> tuple[Spec, ...]:
        """The specs of the weight, as it is when not packed, and what follows it."""
        weight, *others = inputs[self.weight_at:]
        return (Spec(self.packed) if self.packed else weight, *others)


@dataclass(frozen=True)
class GradInput(Convolution):
    """From dy and a weight, the first inputs, to dx of `shape`, the first output."""

    shape: tuple[int, ...]
    direction = "grad_input"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def dims(self, node: Node) -> tuple[int, ...]:
        dy, weight = node.inputs[:2]
        return self.arguments.dims(self.shape, weight.shape, dy.shape)


@dataclass(frozen=True)
class GradWeight(Convolution):
    """From x, the first input, and dy to dw of `shape`."""

    shape: tuple[int, ...]
    direction = "grad_weight"
    dy_at: ClassVar[int] = 1  # which input is dy

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def dims(self, node: Node) -> tuple[int, ...]:
        x, dy = node.inputs[0], node.inputs[self.dy_at]
        return self.arguments.dims(x.shape, self.shape, dy.shape)


def _inside(size: int, outputs: int, taps: int, stride: int, padding: int, dilation: int) -> int:
    """Pairs of an output and a tap that lie inside, along one axis."""
    count = 0
    for tap in range(taps):
        offset = tap * dilation - padding
        first = max(0, -(offset // stride))
        end = min(outputs, (size - 1 - offset) // stride + 1)
        count += max(0, end - first)
    return count


def by_winograd(node: Node) -> bool:
    """Whether a node is a convolution by one of Winograd's algorithms."""
    return isinstance(node.op, Convolution) and node.op.way_of(node) == "winograd"


