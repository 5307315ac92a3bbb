"""The micro-kernels of copies and sums, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = arrays_at(LEVEL)
