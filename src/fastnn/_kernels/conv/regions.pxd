from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.linear.table cimport conv_tap, pixel_grid

# Positions along one axis: `count` of them, the axis's step apart.
cdef struct Run:
    int64_t first, count

# The regions of a pass: each run along h with each run along w.
cdef struct Regions:
    bint backward, apart
    int64_t runs_h, runs_w, count
    Run *runs  # those along h, then those along w; NULL before list_regions writes them

cdef Regions count_regions(const Conv *v, bint backward, bint may_part) noexcept nogil
cdef void list_regions(const Conv *v, Regions *regions, Run *runs) noexcept nogil
cdef int64_t region_pixels(const Conv *v, const Regions *regions, int64_t region) noexcept nogil
cdef int64_t place_region(const Conv *v, const Regions *regions, int64_t region,
                          pixel_grid *source, pixel_grid *target, conv_tap *place,
                          conv_tap *tap) noexcept nogil
