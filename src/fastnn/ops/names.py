"""Every operation by name. Written by `python -m tools.names`."""

from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.addmm import addbmm, addmm, addmv, addr, baddbmm
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
from fastnn.ops.bilinear import bilinear
from fastnn.ops.binary import add, div, maximum, minimum, mul, pow, sub
from fastnn.ops.compare import (
    eq,
    ge,
    gt,
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
from fastnn.ops.conv_transpose1d import conv_transpose1d
from fastnn.ops.conv_transpose2d import conv_transpose2d
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.detach import detach
from fastnn.ops.dropout import dropout
from fastnn.ops.einsum import einsum, tensordot
from fastnn.ops.expand import broadcast_tensors, broadcast_to, expand, expand_as
from fastnn.ops.group_norm import group_norm
from fastnn.ops.linear import linear
from fastnn.ops.matmul import bmm, dot, inner, matmul, mm, mv, outer
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.mse_loss import mse_loss
from fastnn.ops.permute import adjoint, moveaxis, movedim, permute, swapaxes, swapdims, t, transpose
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.pool1d import adaptive_avg_pool1d, avg_pool1d, max_pool1d
from fastnn.ops.prelu import prelu
from fastnn.ops.reduce import mean, sum
from fastnn.ops.reshape import flatten, reshape
from fastnn.ops.softmax import log_softmax, softmax
from fastnn.ops.split import chunk, narrow, select, split, split_with_sizes, tensor_split, unbind
from fastnn.ops.stack import column_stack, dstack, hstack, row_stack, stack, vstack
from fastnn.ops.tile import repeat, repeat_interleave, tile

# The pointwise table.
abs = FUNCTIONS["abs"]
affine = FUNCTIONS["affine"]
elu = FUNCTIONS["elu"]
erf = FUNCTIONS["erf"]
exp = FUNCTIONS["exp"]
gelu = FUNCTIONS["gelu"]
gelu_tanh = FUNCTIONS["gelu_tanh"]
leaky_relu = FUNCTIONS["leaky_relu"]
log = FUNCTIONS["log"]
power = FUNCTIONS["power"]
reciprocal = FUNCTIONS["reciprocal"]
relu = FUNCTIONS["relu"]
sigmoid = FUNCTIONS["sigmoid"]
silu = FUNCTIONS["silu"]
softplus = FUNCTIONS["softplus"]
sqrt = FUNCTIONS["sqrt"]
square = FUNCTIONS["square"]
tanh = FUNCTIONS["tanh"]

__all__ = [
    "abs", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add", "addbmm", "addmm", "addmv", "addr",
    "adjoint", "affine", "atleast_1d", "atleast_2d", "atleast_3d", "avg_pool1d", "avg_pool2d",
    "baddbmm", "batch_norm", "bilinear", "bmm", "broadcast_tensors", "broadcast_to", "cat", "chunk",
    "column_stack", "concat", "concatenate", "conv1d", "conv2d", "conv_transpose1d",
    "conv_transpose2d", "cross_entropy", "detach", "div", "dot", "dropout", "dstack", "einsum",
    "elu", "eq", "erf", "exp", "expand", "expand_as", "flatten", "ge", "gelu", "gelu_tanh",
    "group_norm", "gt", "hstack", "inner", "le", "leaky_relu", "linear", "log", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "matmul", "max_pool1d",
    "max_pool2d", "maximum", "mean", "minimum", "mm", "moveaxis", "movedim", "mse_loss", "mul",
    "mv", "narrow", "ne", "outer", "permute", "pow", "power", "prelu", "ravel", "reciprocal",
    "relu", "repeat", "repeat_interleave", "reshape", "reshape_as", "row_stack", "select",
    "sigmoid", "silu", "softmax", "softplus", "split", "split_with_sizes", "sqrt", "square",
    "squeeze", "stack", "sub", "sum", "swapaxes", "swapdims", "t", "tanh", "tensor_split",
    "tensordot", "tile", "transpose", "unbind", "unflatten", "unsqueeze", "view_as", "vstack",
]
