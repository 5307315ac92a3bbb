"""The one signature of every kernel, so that a plan is a flat list of calls."""

from libc.stdint cimport int64_t

# p: buffers, in the order of the kernel's docstring; d: sizes in elements; s: real numbers;
# threads: the size of the team. No allocation, no exception, no Python.
ctypedef void (*kernel_fn)(char **p, const int64_t *d, const double *s, int threads) noexcept nogil
