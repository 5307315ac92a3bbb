"""The micro-kernels of pooling, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = pool_at(LEVEL)
