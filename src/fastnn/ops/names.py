"""Every operation by name. Written by `python -m tools.names`."""

from fastnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from fastnn.ops.avg_pool2d import avg_pool2d
from fastnn.ops.batch_norm import batch_norm
from fastnn.ops.binary import add, div, maximum, minimum, mul, pow, sub
from fastnn.ops.binary_losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
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
from fastnn.ops.distribution_losses import gaussian_nll_loss, kl_div, poisson_nll_loss
from fastnn.ops.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    rrelu,
)
from fastnn.ops.expand import expand
from fastnn.ops.group_norm import group_norm
from fastnn.ops.linear import linear, matmul
from fastnn.ops.margin_losses import multi_margin_loss, multilabel_margin_loss
from fastnn.ops.max_pool2d import max_pool2d
from fastnn.ops.nll_loss import nll_loss
from fastnn.ops.permute import permute, transpose
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.pool1d import adaptive_avg_pool1d, avg_pool1d, max_pool1d
from fastnn.ops.prelu import prelu
from fastnn.ops.random import bernoulli, normal, rand, rand_like, randn, randn_like
from fastnn.ops.ranking_losses import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from fastnn.ops.reduce import mean, sum
from fastnn.ops.regression_losses import huber_loss, l1_loss, mse_loss, smooth_l1_loss
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
    "abs", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "add", "affine", "alpha_dropout",
    "avg_pool1d", "avg_pool2d", "batch_norm", "bernoulli", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "cat", "conv1d", "conv2d", "conv_transpose2d",
    "cosine_embedding_loss", "cross_entropy", "detach", "div", "dropout", "dropout1d", "dropout2d",
    "dropout3d", "elu", "eq", "erf", "exp", "expand", "feature_alpha_dropout", "flatten",
    "gaussian_nll_loss", "ge", "gelu", "gelu_tanh", "group_norm", "gt", "hinge_embedding_loss",
    "huber_loss", "kl_div", "l1_loss", "le", "leaky_relu", "linear", "log", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "margin_ranking_loss",
    "matmul", "max_pool1d", "max_pool2d", "maximum", "mean", "minimum", "mse_loss", "mul",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "ne", "nll_loss",
    "normal", "permute", "poisson_nll_loss", "pow", "power", "prelu", "rand", "rand_like", "randn",
    "randn_like", "reciprocal", "relu", "reshape", "rrelu", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softplus", "sqrt", "square", "sub", "sum", "tanh", "transpose",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]
