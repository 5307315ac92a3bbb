"""Choose the instruction-set level once, at import, by CPUID or by FASTNN_ISA."""

import os

cdef extern from "simd/detect.h":
    enum:
        LEVEL_COUNT
    const char **level_names
    const int *level_lanes
    bint has_level(int level) noexcept nogil


def levels():
    """Names of the instruction-set levels that this processor runs, best first."""
    return [level_names[number].decode() for number in reversed(range(LEVEL_COUNT))
            if has_level(number)]


def level():
    """Name of the level in use."""
    return level_names[LEVEL].decode()


def lanes():
    """Floats in one vector of the level in use."""
    return LANES


cdef void _choose() except *:
    global LEVEL, LANES
    have = levels()
    wanted = os.environ.get("FASTNN_ISA", "") or have[0]
    if wanted not in have:
        raise ImportError(
            f"FASTNN_ISA={wanted!r} is not a level of this processor; it has {', '.join(have)}")
    LEVEL = [level_names[number].decode() for number in range(LEVEL_COUNT)].index(wanted)
    LANES = level_lanes[LEVEL]


_choose()
