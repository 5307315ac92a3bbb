"""Every operation by name. Written by `python -m tools.names`."""

from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.avg_pool2d import avg_pool2d
from fastnn.ops.batch_norm import batch_norm
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
from fastnn.ops.concat import cat
from fastnn.ops.conv1d import conv1d
from fastnn.ops.conv2d import conv2d
from fastnn.ops.conv_transpose2d import conv_transpose2d
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.detach import detach
from fastnn.ops.dropout import dropout
from fastnn.ops.expand import expand
from fastnn.ops.group_norm import group_norm
from fastnn.ops.linear import linear, matmul
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.mse_loss import mse_loss
from fastnn.ops.permute import permute, transpose
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.pool1d import adaptive_avg_pool1d, avg_pool1d, max_pool1d
from fastnn.ops.prelu import prelu
from fastnn.ops.reduce import mean, sum
from fastnn.ops.reshape import flatten, reshape
from fastnn.ops.softmax import log_softmax, softmax

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
    "abs", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add", "affine", "avg_pool1d",
    "avg_pool2d", "batch_norm", "cat", "conv1d", "conv2d", "conv_transpose2d", "cross_entropy",
    "detach", "div", "dropout", "elu", "eq", "erf", "exp", "expand", "flatten", "ge", "gelu",
    "gelu_tanh", "group_norm", "gt", "le", "leaky_relu", "linear", "log", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "matmul", "max_pool1d",
    "max_pool2d", "maximum", "mean", "minimum", "mse_loss", "mul", "ne", "permute", "pow", "power",
    "prelu", "reciprocal", "relu", "reshape", "sigmoid", "silu", "softmax", "softplus", "sqrt",
    "square", "sub", "sum", "tanh", "transpose",
]
