"""The rows of optimizers, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = optimizer_at(LEVEL)
