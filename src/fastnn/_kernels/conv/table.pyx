"""The micro-kernels of convolutions, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = conv_at(LEVEL)
