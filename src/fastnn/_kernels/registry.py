"""All kernels by name: where a kernel is, and how many bytes each of its pointers must span."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

MODULES = (
    "batch_norm",
    "batch_norm_backward",
    "compare",
    "conv2d",
    "conv2d_weight",
    "conv_normed",
    "copy",
    "dropout",
    "linear",
    "norm_pool",
    "optimizer",
    "planar",
    "pointwise",
    "pool",
    "reduce",
    "softmax",
    "winograd",
    "winograd_joined",
    "winograd_normed",
    "winograd_sums",
    "winograd_weight",
)
LATE_MODULES = ("blas_conv",)  # imports scipy.linalg, which takes long: only when asked for


class Kernel(NamedTuple):
    """One kernel: its address, and extents(d, threads) -> bytes that each pointer must span."""

    name: str
    address: int
    extents: Callable[[Sequence[int], int], tuple[int, ...]]


KERNELS: dict[str, Kernel] = {}


def _add(modules: Sequence[str]) -> None:
    for module in modules:
        kernels = import_module(f"fastnn._kernels.{module}").KERNELS
        KERNELS.update({name: Kernel(name, *entry) for name, entry in kernels.items()})


_add(MODULES)


def kernel(name: str) -> Kernel:
    """The kernel of that name."""
    if name not in KERNELS:
        _add(LATE_MODULES)
    return KERNELS[name]


def names() -> list[str]:
    """The names of all kernels, in order; imports the late modules too."""
    _add(LATE_MODULES)
    return sorted(KERNELS)
