"""2-D transposed convolution: the adjoint of a convolution, used for upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Tensor, apply, as_tensor
from fastnn.ops.binary import add
from fastnn.ops.conv2d import Conv2dGradInput
from fastnn.ops.conv_algorithm import get_conv_algorithm
from fastnn.ops.conv_kernels import BIAS, X
from fastnn.ops.convolution import ConvArguments
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.ops.unbatched import as_batch, as_it_came
from fastnn.ops.windows import Pair, check_channels, check_images, pair, whole_number
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class ConvTranspose2d(Conv2dGradInput):
    """y[n,c,i·s+u·d-p,j·s+v·d-p] += x[n,k,i,j] w[k,c,u,v]: the input gradient of a convolution.

    `arguments` and `shape` belong to the convolution with input y and output x, so kernels and
    gradients are the convolution's. Output padding means less padding at the end of y, so that this
    convolution has as many outputs as x has pixels.
    """

    @property
    def name(self) -> str:
        return "conv_transpose2d"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, weight = inputs
        check_images("conv_transpose2d", x)
        check_channels("conv_transpose2d", x.shape, weight.shape[0], f"weight {weight.shape}")
        if x.shape[1] % self.arguments.groups:
            raise ShapeError(f"conv_transpose2d: {self.arguments.groups} groups do not divide the "
                             f"{x.shape[1]} input channels")
        return super().infer(*inputs)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])


@dataclass(frozen=True)
class ConvTranspose2dBias(Conv2dGradInput):
    """A transposed convolution whose kernel adds a bias as it writes.

    Only fusion makes it, after autodiff.
    """

    @property
    def name(self) -> str:
        return "conv_transpose2d_bias"

    def operands(self) -> tuple[str, str]:
        return X, BIAS

    def lower(self, node: Node) -> list[Call]:
        d = (*self.dims(node), 0, 0)
        return [Call(self.kernel(node), (*node.inputs, node.outputs[0]), d)]


def transposed_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The smallest input size for which a convolution gives `size`, without output padding."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1


def _check_output_padding(extra: Pair, stride: Pair, dilation: Pair) -> None:
    if any(extra[i] >= max(stride[i], dilation[i]) for i in (0, 1)):
        raise ShapeError(f"conv_transpose2d: output_padding {extra} must be smaller than stride "
                         f"{stride} or dilation {dilation}")


@operation()
def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:
    """2-D transposed convolution, arguments as torch.nn.functional.conv_transpose2d.

    y[n,c,i·s+u·d-p,j·s+v·d-p] = Σ x[n,k,i,j] w[k,c,u,v] (+ bias[c])

    input: (batch, in, height, width), or one image without the axis of the batch, as is then the
    result; weight: (in, out / groups, kernel height, width); bias: (out); stride, padding,
    output_padding, dilation: a number or (height, width). Returns
    (batch, out, height', width'), with height' =
    (height - 1) stride - 2 padding + dilation (kernel height - 1) + output_padding + 1.

    Raises ShapeError for arguments that do not fit, or a result without pixels.
    Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", 2010.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> x = constant(np.zeros((1, 16, 4, 4)))
    >>> conv_transpose2d(x, np.zeros((16, 3, 3, 3)), stride=2, padding=1, output_padding=1).shape
    (1, 3, 8, 8)
    """
    x, weight = as_tensor(input), as_tensor(weight)
    check_images("conv_transpose2d weight", weight.spec)
    x, single = as_batch("conv_transpose2d", x, 4, weight.shape[0], f"weight {weight.shape}")
    kernel = weight.shape[2:]
    strides, dilations = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    pads, extra = pair(padding, "padding", 0), pair(output_padding, "output_padding", 0)
    groups = whole_number(groups, "groups")
    _check_output_padding(extra, strides, dilations)
    height, width = (
        transposed_size(x.shape[2 + i], kernel[i], strides[i], pads[i], dilations[i]) + extra[i]
        for i in (0, 1))
    if height < 1 or width < 1:
        raise ShapeError(f"conv_transpose2d: input {x.shape} with kernel {kernel}, stride "
                         f"{strides} and padding {pads} gives {height} by {width} pixels")
    out = weight.shape[1] * groups
    height_pads, width_pads = ((pads[i], pads[i] - extra[i]) for i in (0, 1))
    arguments = ConvArguments(strides, (height_pads, width_pads), dilations, groups,
                              get_conv_algorithm())
    y = apply(ConvTranspose2d(arguments, (x.shape[0], out, height, width)), x, weight)
    if bias is None:
        return as_it_came(y, single)
    bias = as_tensor(bias)
    if bias.shape != (out,):
        raise ShapeError(f"conv_transpose2d: bias {bias.shape} does not fit weight "
                         f"{weight.shape} in {groups} group(s), expected ({out},)")
    return as_it_came(add(y, reshape(bias, 1, out, 1, 1)), single)
