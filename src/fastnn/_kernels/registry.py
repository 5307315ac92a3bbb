"""All kernels by name: their addresses, and the bytes that each pointer must span.

The registry searches the folders for modules below `_kernels` that have a table KERNELS.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

import fastnn._kernels

LATE = "blas_"  # these modules import scipy.linalg, which is slow: only on demand


class Kernel(NamedTuple):
    """One kernel: its address, and extents(d, threads) -> bytes that each pointer must span.

    loads(d, threads) -> the multiply-adds, or the elements of a pass over memory, that each thread
    is dealt; None where that is not told.
    """

    name: str
    address: int
    extents: Callable[[Sequence[int], int], tuple[int, ...]]
    uses_blas: bool
    loads: Callable[[Sequence[int], int], list[int]] | None = None


KERNELS: dict[str, Kernel] = {}


def _modules(package: str, path: Sequence[str]) -> Iterator[str]:
    """The modules of a package and of the packages in it."""
    for module in iter_modules(path, f"{package}."):
        if module.ispkg:
            yield from _modules(module.name, list(import_module(module.name).__path__))
        else:
            yield module.name


def _add(late: bool) -> None:
    for name in _modules("fastnn._kernels", list(fastnn._kernels.__path__)):
        if name != __name__ and name.rpartition(".")[2].startswith(LATE) == late:
            kernels = getattr(import_module(name), "KERNELS", {})
            KERNELS.update({name: Kernel(name, address, extents, late, *loads)
                            for name, (address, extents, *loads) in kernels.items()})


_add(late=False)


def kernel(name: str) -> Kernel:
    """The kernel of that name."""
    if name not in KERNELS:
        _add(late=True)
    return KERNELS[name]


def names() -> list[str]:
    """The names of all kernels, in order; imports the late modules too."""
    _add(late=True)
    return sorted(KERNELS)
