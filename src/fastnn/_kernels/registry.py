"""All kernels by name: where a kernel is, and how many bytes each of its pointers must span."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

MODULES = (
    "batch_norm",
    "batch_norm_backward",
    "conv2d",
    "conv2d_weight",
    "copy",
    "dropout",
    "linear",
    "optimizer",
    "planar",
    "pointwise",
    "pool",
    "reduce",
    "softmax",
    "winograd",
    "winograd_weight",
)


class Kernel(NamedTuple):
    """One kernel: its address, and extents(d, threads) -> bytes that each pointer must span."""

    name: str
    address: int
    extents: Callable[[Sequence[int], int], tuple[int, ...]]


def _collect() -> dict[str, Kernel]:
    table: dict[str, Kernel] = {}
    for module in MODULES:
        kernels = import_module(f"fastnn._kernels.{module}").KERNELS
        table.update({name: Kernel(name, *entry) for name, entry in kernels.items()})
    return table


KERNELS = _collect()


def kernel(name: str) -> Kernel:
    """The kernel of that name."""
    return KERNELS[name]
