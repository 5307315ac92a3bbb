"""The rows of pointwise functions, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = pointwise_at(LEVEL)
