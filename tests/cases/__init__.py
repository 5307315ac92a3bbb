"""The cases of every operation."""

from tests.cases import (
    batch_norm,
    compare,
    conv2d,
    conv2d_fused,
    conv_transpose2d,
    dropout,
    function,
    linear,
    losses,
    pointwise,
    pooling,
    shapes,
)

CASES = [
    case for module in (pointwise, compare, linear, conv2d, conv2d_fused, conv_transpose2d, pooling,
                        batch_norm, losses, shapes, dropout, function)
    for case in module.CASES
]
assert len({case.name for case in CASES}) == len(CASES), "two cases have one name"
