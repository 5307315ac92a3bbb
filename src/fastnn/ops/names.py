"""Every operation by name. Written by `python -m tools.names`."""

from fastnn.ops.activations import gelu, glu, maxout, relu6
from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.arithmetic import (
    addcdiv,
    addcmul,
    lerp,
    neg,
    positive,
    round,
    rsub,
    sgn,
    true_divide,
)
from fastnn.ops.avg_pool2d import avg_pool2d
from fastnn.ops.axes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    ravel,
    reshape_as,
    squeeze,
    unflatten,
    unsqueeze,
    view_as,
)
from fastnn.ops.batch_norm import batch_norm
from fastnn.ops.binary import add, div, maximum, minimum, mul, pow, sub
from fastnn.ops.clamp import clamp, clamp_max, clamp_min
from fastnn.ops.compare import (
    eq,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from fastnn.ops.concat import cat, concat, concatenate
from fastnn.ops.conv1d import conv1d
from fastnn.ops.conv2d import conv2d
from fastnn.ops.conv_transpose2d import conv_transpose2d
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.detach import detach
from fastnn.ops.dropout import dropout
from fastnn.ops.expand import broadcast_tensors, broadcast_to, expand, expand_as
from fastnn.ops.group_norm import group_norm
from fastnn.ops.linear import linear, matmul
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.mse_loss import mse_loss
from fastnn.ops.permute import adjoint, moveaxis, movedim, permute, swapaxes, swapdims, t, transpose
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.pool1d import adaptive_avg_pool1d, avg_pool1d, max_pool1d
from fastnn.ops.prelu import prelu
from fastnn.ops.reduce import mean, sum
from fastnn.ops.reshape import flatten, reshape
from fastnn.ops.softmax import log_softmax, softmax, softmin
from fastnn.ops.split import chunk, narrow, select, split, split_with_sizes, tensor_split, unbind
from fastnn.ops.stack import column_stack, dstack, hstack, row_stack, stack, vstack
from fastnn.ops.tile import repeat, repeat_interleave, tile
from fastnn.ops.where import masked_fill, where

# The pointwise table.
abs = FUNCTIONS["abs"]
affine = FUNCTIONS["affine"]
ceil = FUNCTIONS["ceil"]
celu = FUNCTIONS["celu"]
cos = FUNCTIONS["cos"]
elu = FUNCTIONS["elu"]
erf = FUNCTIONS["erf"]
exp = FUNCTIONS["exp"]
exp2 = FUNCTIONS["exp2"]
expm1 = FUNCTIONS["expm1"]
floor = FUNCTIONS["floor"]
gelu_tanh = FUNCTIONS["gelu_tanh"]
hardshrink = FUNCTIONS["hardshrink"]
hardsigmoid = FUNCTIONS["hardsigmoid"]
hardswish = FUNCTIONS["hardswish"]
hardtanh = FUNCTIONS["hardtanh"]
leaky_relu = FUNCTIONS["leaky_relu"]
log = FUNCTIONS["log"]
log10 = FUNCTIONS["log10"]
log1p = FUNCTIONS["log1p"]
log2 = FUNCTIONS["log2"]
logsigmoid = FUNCTIONS["logsigmoid"]
mish = FUNCTIONS["mish"]
power = FUNCTIONS["power"]
reciprocal = FUNCTIONS["reciprocal"]
relu = FUNCTIONS["relu"]
rsqrt = FUNCTIONS["rsqrt"]
selu = FUNCTIONS["selu"]
sigmoid = FUNCTIONS["sigmoid"]
sign = FUNCTIONS["sign"]
silu = FUNCTIONS["silu"]
sin = FUNCTIONS["sin"]
softplus = FUNCTIONS["softplus"]
softshrink = FUNCTIONS["softshrink"]
softsign = FUNCTIONS["softsign"]
sqrt = FUNCTIONS["sqrt"]
square = FUNCTIONS["square"]
tanh = FUNCTIONS["tanh"]
tanhshrink = FUNCTIONS["tanhshrink"]
threshold = FUNCTIONS["threshold"]
trunc = FUNCTIONS["trunc"]

__all__ = [
    "abs", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add", "addcdiv", "addcmul", "adjoint",
    "affine", "atleast_1d", "atleast_2d", "atleast_3d", "avg_pool1d", "avg_pool2d", "batch_norm",
    "broadcast_tensors", "broadcast_to", "cat", "ceil", "celu", "chunk", "clamp", "clamp_max",
    "clamp_min", "column_stack", "concat", "concatenate", "conv1d", "conv2d", "conv_transpose2d",
    "cos", "cross_entropy", "detach", "div", "dropout", "dstack", "elu", "eq", "erf", "exp", "exp2",
    "expand", "expand_as", "expm1", "flatten", "floor", "ge", "gelu", "gelu_tanh", "glu",
    "group_norm", "gt", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hstack", "isfinite",
    "isinf", "isnan", "le", "leaky_relu", "lerp", "linear", "log", "log1p", "log2", "log10",
    "log_softmax", "logical_and", "logical_not", "logical_or", "logical_xor", "logsigmoid", "lt",
    "masked_fill", "matmul", "max_pool1d", "max_pool2d", "maximum", "maxout", "mean", "minimum",
    "mish", "moveaxis", "movedim", "mse_loss", "mul", "narrow", "ne", "neg", "permute", "positive",
    "pow", "power", "prelu", "ravel", "reciprocal", "relu", "relu6", "repeat", "repeat_interleave",
    "reshape", "reshape_as", "round", "row_stack", "rsqrt", "rsub", "select", "selu", "sgn",
    "sigmoid", "sign", "silu", "sin", "softmax", "softmin", "softplus", "softshrink", "softsign",
    "split", "split_with_sizes", "sqrt", "square", "squeeze", "stack", "sub", "sum", "swapaxes",
    "swapdims", "t", "tanh", "tanhshrink", "tensor_split", "threshold", "tile", "transpose",
    "true_divide", "trunc", "unbind", "unflatten", "unsqueeze", "view_as", "vstack", "where",
]
