"""Regions of a map whose pixels read the same taps, so that no product is made with padding.

On a 2x2 map with padding 1, four taps of a pixel read pixels and five read zeros; borders of large
maps with wide padding are no better. Pixels are grouped along each axis by their phase (position
modulo stride) in an input gradient and, if that saves enough, by the taps that fall inside the
image. A region is the same for all images, so its pixels are the rows of one product with its own
list of taps.
"""

from libc.stdint cimport int64_t

cdef enum:
    OVERHEAD = 4  # cost of a region, in pixels: each reads weights and stores sums
    IMAGES = 16   # assumed by the choice: a micro-batch must get the bits of the whole batch


# One axis of a pass, from what is read to what is written.
cdef struct Axis:
    bint backward
    int64_t source, target, kernel, stride, pad, dilation


cdef Axis axis_of(const Conv *v, bint backward, bint vertical) noexcept nogil:
    cdef Axis axis
    cdef int64_t size = v.h if vertical else v.w, outputs = v.oh if vertical else v.ow
    axis.backward = backward
    axis.source, axis.target = (outputs, size) if backward else (size, outputs)
    axis.kernel = v.kh if vertical else v.kw
    axis.stride = v.stride_h if vertical else v.stride_w
    axis.pad = v.pad_top if vertical else v.pad_left
    axis.dilation = v.dilation_h if vertical else v.dilation_w
    return axis


cdef bint reads(const Axis *axis, int64_t position, int64_t tap, int64_t *at) noexcept nogil:
    """Whether a position of the target has a tap, and what it reads, perhaps padding."""
    if not axis.backward:
        at[0] = position * axis.stride + tap * axis.dilation - axis.pad
        return True
    at[0] = position + axis.pad - tap * axis.dilation
    if at[0] % axis.stride:
        return False
    at[0] //= axis.stride
    return True


cdef int64_t count_taps(const Axis *axis, int64_t position, bint inside) noexcept nogil:
    """Taps of a position: all, or those that read no padding."""
    cdef int64_t tap, at, count = 0
    for tap in range(axis.kernel):
        if reads(axis, position, tap, &at) and (not inside or 0 <= at < axis.source):
            count += 1
    return count


cdef int64_t run_end(const Axis *axis, int64_t first) noexcept nogil:
    """The first position after `first` at which a tap of its phase enters or leaves the image."""
    cdef int64_t tap, at, low, high, end = axis.target
    for tap in range(axis.kernel):
        if not reads(axis, first, tap, &at):
            continue
        low = axis.pad - tap * axis.dilation
        high = axis.source + low
        if axis.backward:
            low, high = -low, axis.source * axis.stride - low
        else:
            low = (low + axis.stride - 1) // axis.stride
            high = (high + axis.stride - 1) // axis.stride
        if first < low < end:
            end = low
        if first < high < end:
            end = high
    return end


cdef int64_t list_runs(const Axis *axis, bint apart, Run *runs) noexcept nogil:
    """Count the runs, and write them unless `runs` is NULL."""
    cdef int64_t step = axis.stride if axis.backward else 1, phase, first, end, count = 0
    for phase in range(min(step, axis.target)):
        first = phase
        while first < axis.target:
            end = run_end(axis, first) if apart else axis.target
            if runs != NULL:
                runs[count].first = first
                runs[count].count = (end - first + step - 1) // step
            count += 1
            first += (end - first + step - 1) // step * step
    return count


cdef void add_work(const Axis *axis, double *all, double *inside, double *runs) noexcept nogil:
    """Multiply by the taps of all positions, by those inside, and by those of each run."""
    cdef int64_t step = axis.stride if axis.backward else 1, phase, first, end, taps
    cdef double every = 0, some = 0, once = 0
    for phase in range(min(step, axis.target)):
        first = phase
        while first < axis.target:
            end = first + (run_end(axis, first) - first + step - 1) // step * step
            taps = count_taps(axis, first, True)
            every += count_taps(axis, first, False) * ((end - first) // step)
            some += taps * ((end - first) // step)
            once += taps
            first = end
    all[0] *= every
    inside[0] *= some
    runs[0] *= once


cdef Regions count_regions(const Conv *v, bint backward, bint may_part) noexcept nogil:
    """may_part: whether pixels may be grouped by the taps inside, if that saves an eighth."""
    cdef Regions regions
    cdef Axis vertical = axis_of(v, backward, True), horizontal = axis_of(v, backward, False)
    cdef double all = IMAGES, inside = IMAGES, runs = OVERHEAD
    regions.backward, regions.apart = backward, False
    if may_part:
        add_work(&vertical, &all, &inside, &runs)
        add_work(&horizontal, &all, &inside, &runs)
        regions.apart = 8 * (inside + runs) <= 7 * all
    regions.runs_h = list_runs(&vertical, regions.apart, NULL)
    regions.runs_w = list_runs(&horizontal, regions.apart, NULL)
    regions.count = regions.runs_h * regions.runs_w
    regions.runs = NULL
    return regions


cdef void list_regions(const Conv *v, Regions *regions, Run *runs) noexcept nogil:
    """Write runs_h + runs_w runs, whose products are the regions."""
    cdef Axis vertical = axis_of(v, regions.backward, True)
    cdef Axis horizontal = axis_of(v, regions.backward, False)
    list_runs(&vertical, regions.apart, runs)
    list_runs(&horizontal, regions.apart, runs + regions.runs_h)
    regions.runs = runs


cdef int64_t region_pixels(const Conv *v, const Regions *regions, int64_t region) noexcept nogil:
    """The pixels of a region, of all images."""
    return (v.n * regions.runs[region // regions.runs_w].count *
            regions.runs[regions.runs_h + region % regions.runs_w].count)


cdef int64_t place_region(const Conv *v, const Regions *regions, int64_t region,
                          pixel_grid *source, pixel_grid *target, conv_tap *place,
                          conv_tap *tap) noexcept nogil:
    """The grids of a region, where its first pixel is, and its taps [kh * kw]; how many.

    Forward, tap (a, b) of an output reads row i * stride + a * dilation - pad. Backward, a pixel
    in row r takes it from row i of dy, where r + pad - a * dilation is i strides.
    """
    cdef Axis vertical = axis_of(v, regions.backward, True)
    cdef Axis horizontal = axis_of(v, regions.backward, False)
    cdef Run down = regions.runs[region // regions.runs_w]
    cdef Run right = regions.runs[regions.runs_h + region % regions.runs_w]
    cdef int64_t a, b, row, column, count = 0
    source.rows = target.rows = down.count
    source.columns = target.columns = right.count
    source.height, source.width = vertical.source, horizontal.source
    target.height, target.width = vertical.target, horizontal.target
    source.step_h = source.step_w = target.step_h = target.step_w = 1
    if regions.backward:
        target.step_h, target.step_w = v.stride_h, v.stride_w
    else:
        source.step_h, source.step_w = v.stride_h, v.stride_w
    place.offset_h, place.offset_w = down.first, right.first
    for a in range(v.kh):
        if not reads(&vertical, down.first, a, &row):
            continue
        for b in range(v.kw):
            if not reads(&horizontal, right.first, b, &column):
                continue
            if regions.apart and not (0 <= row < vertical.source and
                                      0 <= column < horizontal.source):
                continue
            tap[count].offset_h, tap[count].offset_w = row, column
            tap[count].slice = a * v.kw + b
            count += 1
    return count
