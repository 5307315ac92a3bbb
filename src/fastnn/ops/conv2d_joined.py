"""A Winograd convolution of two inputs concatenated along the channels; only fusion makes it.

A U-Net, for example, concatenates its skips with what comes from below. Each part is read in place,
and the kernel can apply a norm and a ReLU to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastnn.graph import Call, Node, Op, Tensor
from fastnn.ops.conv2d import Conv2d
from fastnn.ops.conv2d_fused import NORM, Conv2dStats
from fastnn.ops.conv_kernels import JOINED, MOMENTS, NOTHING
from fastnn.ops.convolution import Forward
from fastnn.spec import Spec

VECTOR = 16  # the first part's channels are a multiple of this


@dataclass(frozen=True)
class JoinedConv2d(Forward):
    """y = conv2d(cat([a, b], 1), weight[, bias]), with its statistics if `stats`.

    Inputs: each part, then weight and bias of the convolution. If `eps` has a number for a part,
    mean, var, weight and bias of its norm follow the part, which stands for max(0, batch_norm(x)).
    """

    stats: bool
    eps: tuple[float | None, float | None] = (None, None)

    @property
    def name(self) -> str:
        norms = "batch_norm_relu_" * (self.eps != (None, None))
        return f"{norms}joined_conv2d{'_stats' * self.stats}"

    def operands(self) -> tuple[str, str]:
        return JOINED, MOMENTS if self.stats else NOTHING

    @property
    def places(self) -> tuple[int, int]:
        """The positions of the two parts among the inputs."""
        return 0, 1 if self.eps[0] is None else NORM

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        first, second = (inputs[place] for place in self.places)
        n, channels, *size = first.shape
        joined = Spec((n, channels + second.shape[1], *size))
        op = Conv2dStats(self.arguments) if self.stats else Conv2d(self.arguments)
        return op.infer(joined, *inputs[self._filters:])

    @property
    def _filters(self) -> int:
        return self.places[1] + (1 if self.eps[1] is None else NORM)

    def lower(self, node: Node) -> list[Call]:
        weight, *bias = node.inputs[self._filters:]
        parts: list[Tensor | None] = []
        for place, eps in zip(self.places, self.eps, strict=True):
            part = node.inputs[place:place + (1 if eps is None else NORM)]
            parts += [*part, *[None] * (NORM - len(part))]
        d = (*self.dims(node), len(bias), 0, node.inputs[0].shape[1],
             *(eps is not None for eps in self.eps))
        return [Call(self.kernel(node), (*parts, weight, *(bias or (None,)), *node.outputs), d,
                     tuple(eps or 0.0 for eps in self.eps))]

    def dims(self, node: Node) -> tuple[int, ...]:
        first, second = (node.inputs[place].shape for place in self.places)
        x = (first[0], first[1] + second[1], *first[2:])
        return self.arguments.dims(x, node.inputs[self._filters].shape, node.outputs[0].shape)

    def recompute_op(self) -> Op:
        return replace(self, stats=False)

    def flops_beside(self, node: Node) -> float:
        return 3.0 * self.stats * node.outputs[0].size
