"""1-D transposed convolution: a 2-D one of images of height 1."""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.conv1d import as_image, as_sequence
from fastnn.ops.conv_transpose2d import conv_transpose2d, transposed_size
from fastnn.ops.public import operation
from fastnn.ops.unbatched import as_batch, as_it_came
from fastnn.ops.windows import check_sequences, numbers
from fastnn.spec import ShapeError


@operation()
def conv_transpose1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:
    """1-D transposed convolution, arguments as torch.nn.functional.conv_transpose1d.

    y[n,c,i·s+u·d-p] = Σ x[n,k,i] w[k,c,u] (+ bias[c])

    input: (batch, in, length), or one sequence without the axis of the batch, as is then the
    result; weight: (in, out / groups, kernel length); bias: (out); stride, padding,
    output_padding, dilation: a number, or a tuple of one. Returns (batch, out, length'), with
    length' = (length - 1) stride - 2 padding + dilation (kernel length - 1) + output_padding + 1.

    Raises ShapeError for arguments that do not fit, or a result of no length.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> conv_transpose1d(constant(np.zeros((2, 8, 5))), np.zeros((8, 3, 4)), stride=2).shape
    (2, 3, 12)
    """
    x, weight = as_tensor(input), as_tensor(weight)
    check_sequences("conv_transpose1d weight", weight.spec)
    x, single = as_batch("conv_transpose1d", x, 3, weight.shape[0], f"weight {weight.shape}")
    (step,), (pad,) = numbers(stride, "stride", 1, 1), numbers(padding, "padding", 0, 1)
    (spread,) = numbers(dilation, "dilation", 1, 1)
    (extra,) = numbers(output_padding, "output_padding", 0, 1)
    if extra >= max(step, spread):
        raise ShapeError(f"conv_transpose1d: output_padding {extra} must be smaller than stride "
                         f"{step} or dilation {spread}")
    length = transposed_size(x.shape[2], weight.shape[2], step, pad, spread) + extra
    if length < 1:
        raise ShapeError(f"conv_transpose1d: input {x.shape} with a kernel of {weight.shape[2]}, "
                         f"stride {step} and padding {pad} gives a length of {length}")
    y = conv_transpose2d(as_image(x), as_image(weight), bias, (1, step), (0, pad), (0, extra),
                         groups, (1, spread))
    return as_it_came(as_sequence(y), single)
