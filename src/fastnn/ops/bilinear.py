"""Bilinear maps of two inputs."""

from __future__ import annotations

import math
from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.matmul import matmul
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError


@operation()
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """y[..., o] = Σ x1[..., i] W[o, i, j] x2[..., j] (+ b[o]), as torch.nn.functional.bilinear.

    input1: (..., in1_features); input2: (..., in2_features), with the same other axes; weight:
    (out_features, in1_features, in2_features); bias: (out_features). Returns (..., out_features).

    Raises ShapeError for shapes that do not fit.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> bilinear(constant(np.zeros((6, 3))), np.zeros((6, 4)), np.zeros((5, 3, 4))).shape
    (6, 5)
    """
    x1, x2, weight = as_tensor(input1), as_tensor(input2), as_tensor(weight)
    if (not x1.ndim or not x2.ndim or weight.ndim != 3 or x1.shape[:-1] != x2.shape[:-1]
            or (x1.shape[-1], x2.shape[-1]) != weight.shape[1:]):
        raise ShapeError(f"bilinear: inputs {x1.shape} and {x2.shape} do not fit weight "
                         f"{weight.shape} (out_features, in1_features, in2_features)")
    out, first, second = weight.shape
    rows = math.prod(x1.shape[:-1])
    # (rows, in1) W[in1, out in2] is (rows, out, in2), of which each matrix meets a vector of x2
    folded = matmul(reshape(x1, rows, first),
                    reshape(weight.permute(1, 0, 2), first, out * second))
    y = matmul(reshape(folded, rows, out, second), reshape(x2, rows, second, 1))
    y = reshape(y, *x1.shape[:-1], out)
    if bias is None:
        return y
    bias = as_tensor(bias)
    if bias.shape != (out,):
        raise ShapeError(f"bilinear: bias {bias.shape} does not fit weight {weight.shape}")
    return y + bias  # type: ignore[no-any-return]
