"""Choose the table of micro-kernels once, at import, by CPUID or by FASTNN_ISA."""

import os

cdef extern from "simd/detect.h":
    const simd_table *simd_level(int rank) noexcept nogil


def levels():
    """Names of the instruction-set levels that this processor runs, best first."""
    names = []
    while simd_level(len(names)) != NULL:
        names.append(simd_level(len(names)).level.decode())
    return names


def level():
    """Name of the level in use."""
    return simd.level.decode()


def lanes():
    """Floats in one vector of the level in use."""
    return simd.lanes


cdef void _choose() except *:
    global simd
    have = levels()
    wanted = os.environ.get("FASTNN_ISA", "") or have[0]
    if wanted not in have:
        raise ImportError(
            f"FASTNN_ISA={wanted!r} is not a level of this processor; it has {', '.join(have)}")
    simd = simd_level(have.index(wanted))


_choose()
