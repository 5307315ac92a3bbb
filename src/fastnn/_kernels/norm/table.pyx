"""The micro-kernels of batch norm, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = norm_at(LEVEL)
