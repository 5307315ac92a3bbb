"""The micro-kernels of matrix products, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = linear_at(LEVEL)
