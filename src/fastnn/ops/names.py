"""Every operation by name. Written by `python -m tools.names`."""

from fastnn.ops.activations import gelu, glu, maxout, relu6
from fastnn.ops.addmm import addbmm, addmm, addmv, addr, baddbmm
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
from fastnn.ops.as_index import long, type_as
from fastnn.ops.avg_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    lp_pool1d,
    lp_pool2d,
)
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
from fastnn.ops.binary_losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
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
from fastnn.ops.conv_transpose1d import conv_transpose1d
from fastnn.ops.conv_transpose2d import conv_transpose2d
from fastnn.ops.count import all, any, count_nonzero
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.cumsum import cumsum
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
from fastnn.ops.einsum import einsum, tensordot
from fastnn.ops.expand import broadcast_tensors, broadcast_to, expand, expand_as
from fastnn.ops.extreme import amax, amin, argmax, argmin, max, min
from fastnn.ops.filled import (
    arange,
    eye,
    full,
    full_like,
    linspace,
    new_full,
    new_ones,
    new_zeros,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from fastnn.ops.fold import fold, unfold
from fastnn.ops.gather import gather, scatter_add, take_along_dim
from fastnn.ops.group_norm import group_norm
from fastnn.ops.index_select import embedding, index_add, index_select, one_hot
from fastnn.ops.instance_norm import instance_norm
from fastnn.ops.interpolate import interpolate, upsample, upsample_bilinear, upsample_nearest
from fastnn.ops.layer_norm import layer_norm
from fastnn.ops.linear import linear
from fastnn.ops.local_response_norm import local_response_norm
from fastnn.ops.logsumexp import logsumexp
from fastnn.ops.margin_losses import multi_margin_loss, multilabel_margin_loss
from fastnn.ops.matmul import bmm, dot, inner, matmul, mm, mv, outer
from fastnn.ops.max_pool import adaptive_max_pool1d, adaptive_max_pool2d, max_pool1d, max_pool2d
from fastnn.ops.max_unpool import max_unpool1d, max_unpool2d
from fastnn.ops.nll_loss import nll_loss
from fastnn.ops.norm import cosine_similarity, norm, normalize, pairwise_distance
from fastnn.ops.pad import flip, pad, roll
from fastnn.ops.permute import adjoint, moveaxis, movedim, permute, swapaxes, swapdims, t, transpose
from fastnn.ops.pixel_shuffle import channel_shuffle, pixel_shuffle, pixel_unshuffle
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.prelu import prelu
from fastnn.ops.prod import prod
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
from fastnn.ops.rms_norm import rms_norm
from fastnn.ops.softmax import log_softmax, softmax, softmin
from fastnn.ops.sort import argsort, sort, topk
from fastnn.ops.split import chunk, narrow, select, split, split_with_sizes, tensor_split, unbind
from fastnn.ops.stack import column_stack, dstack, hstack, row_stack, stack, vstack
from fastnn.ops.stochastic_depth import stochastic_depth
from fastnn.ops.tile import repeat, repeat_interleave, tile
from fastnn.ops.triangle import tril, triu
from fastnn.ops.variance import std, std_mean, var, var_mean
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
    "abs", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "adjoint", "affine", "all", "alpha_dropout", "amax", "amin", "any", "arange", "argmax",
    "argmin", "argsort", "atleast_1d", "atleast_2d", "atleast_3d", "avg_pool1d", "avg_pool2d",
    "baddbmm", "batch_norm", "bernoulli", "bilinear", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "bmm", "broadcast_tensors", "broadcast_to", "cat", "ceil",
    "celu", "channel_shuffle", "chunk", "clamp", "clamp_max", "clamp_min", "column_stack", "concat",
    "concatenate", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "cos",
    "cosine_embedding_loss", "cosine_similarity", "count_nonzero", "cross_entropy", "cumsum",
    "detach", "div", "dot", "dropout", "dropout1d", "dropout2d", "dropout3d", "dstack", "einsum",
    "elu", "embedding", "eq", "erf", "exp", "exp2", "expand", "expand_as", "expm1", "eye",
    "feature_alpha_dropout", "flatten", "flip", "floor", "fold", "full", "full_like", "gather",
    "gaussian_nll_loss", "ge", "gelu", "gelu_tanh", "glu", "group_norm", "gt", "hardshrink",
    "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "hstack", "huber_loss",
    "index_add", "index_select", "inner", "instance_norm", "interpolate", "isfinite", "isinf",
    "isnan", "kl_div", "l1_loss", "layer_norm", "le", "leaky_relu", "lerp", "linear", "linspace",
    "local_response_norm", "log", "log1p", "log2", "log10", "log_softmax", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logsigmoid", "logsumexp", "long", "lp_pool1d",
    "lp_pool2d", "lt", "margin_ranking_loss", "masked_fill", "matmul", "max", "max_pool1d",
    "max_pool2d", "max_unpool1d", "max_unpool2d", "maximum", "maxout", "mean", "min", "minimum",
    "mish", "mm", "moveaxis", "movedim", "mse_loss", "mul", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "mv", "narrow", "ne", "neg",
    "new_full", "new_ones", "new_zeros", "nll_loss", "norm", "normal", "normalize", "one_hot",
    "ones", "ones_like", "outer", "pad", "pairwise_distance", "permute", "pixel_shuffle",
    "pixel_unshuffle", "poisson_nll_loss", "positive", "pow", "power", "prelu", "prod", "rand",
    "rand_like", "randn", "randn_like", "ravel", "reciprocal", "relu", "relu6", "repeat",
    "repeat_interleave", "reshape", "reshape_as", "rms_norm", "roll", "round", "row_stack", "rrelu",
    "rsqrt", "rsub", "scatter_add", "select", "selu", "sgn", "sigmoid", "sign", "silu", "sin",
    "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink",
    "softsign", "sort", "split", "split_with_sizes", "sqrt", "square", "squeeze", "stack", "std",
    "std_mean", "stochastic_depth", "sub", "sum", "swapaxes", "swapdims", "t", "take_along_dim",
    "tanh", "tanhshrink", "tensor_split", "tensordot", "threshold", "tile", "topk", "transpose",
    "tril", "triplet_margin_loss", "triplet_margin_with_distance_loss", "triu", "true_divide",
    "trunc", "type_as", "unbind", "unflatten", "unfold", "unsqueeze", "upsample",
    "upsample_bilinear", "upsample_nearest", "var", "var_mean", "view_as", "vstack", "where",
    "zeros", "zeros_like",
]
