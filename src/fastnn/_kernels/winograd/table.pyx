"""The micro-kernels of Winograd's convolutions, of the level in use."""

from fastnn._kernels.dispatch cimport LEVEL

simd = winograd_at(LEVEL)
