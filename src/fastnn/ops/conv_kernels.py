"""The combinations of a convolution that have a kernel.

A combination is the way it is computed, the pass, what it reads, and what it writes beside its
result. Few of the cross product exist. Fusion asks for one before it makes it, and a node's call
gets its kernel's name here.
"""

from __future__ import annotations

from typing import NamedTuple

# What a pass reads in place of x: max(0, batch_norm(x)), or two inputs side by side, each of them
# perhaps through a norm of its own.
X, NORMED, JOINED = "x", "normed", "joined"
# What it writes beside its result: nothing; a bias that it adds; the mean and variance of its
# channels; the sums of the norm behind x; those, with the gradient of a shortcut added.
NOTHING, BIAS, MOMENTS, SUMS, SHORTCUT = "", "bias", "moments", "sums", "shortcut"


class Combination(NamedTuple):
    """How a pass of a convolution is computed (`conv_way`), and what it reads and writes."""

    way: str
    direction: str
    reads: str = X
    beside: str = NOTHING


ROWS = (
    ("winograd", "forward", X, NOTHING, "winograd_forward"),
    ("winograd", "forward", X, MOMENTS, "winograd_forward_stats"),
    ("winograd", "forward", NORMED, NOTHING, "winograd_forward_normed"),
    ("winograd", "forward", NORMED, MOMENTS, "winograd_forward_normed_stats"),
    ("winograd", "forward", JOINED, NOTHING, "winograd_forward_joined"),
    ("winograd", "forward", JOINED, MOMENTS, "winograd_forward_joined_stats"),
    ("winograd", "grad_input", X, NOTHING, "winograd_grad_input"),
    ("winograd", "grad_input", X, SUMS, "winograd_grad_input_sums"),
    ("winograd", "grad_input", X, SHORTCUT, "winograd_grad_input_shortcut"),
    ("winograd", "grad_weight", X, NOTHING, "winograd_grad_weight"),
    ("winograd", "grad_weight", NORMED, NOTHING, "winograd_grad_weight_normed"),
    ("linear depthwise padded inner general", "forward", X, NOTHING, "conv2d_forward"),
    ("linear", "forward", NORMED, NOTHING, "conv2d_forward_normed"),
    ("linear depthwise inner general", "grad_input", X, NOTHING, "conv2d_grad_input"),
    ("inner general", "grad_input", X, BIAS, "conv2d_grad_input_bias"),
    ("linear depthwise padded general", "grad_weight", X, NOTHING, "conv2d_grad_weight"),
    ("linear", "grad_weight", NORMED, NOTHING, "conv2d_grad_weight_normed"),
    ("planar", "forward", X, NOTHING, "planar_forward"),
    ("planar", "grad_input", X, NOTHING, "planar_grad_input"),
    ("planar", "grad_weight", X, NOTHING, "planar_grad_weight"),
    ("blas", "forward", X, NOTHING, "blas_forward"),
    ("blas", "grad_input", X, NOTHING, "blas_grad_input"),
    ("blas", "grad_weight", X, NOTHING, "blas_grad_weight"),
)

KERNELS = {Combination(way, *what): kernel for ways, *what, kernel in ROWS for way in ways.split()}
