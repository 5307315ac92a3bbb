"""Group norm of images, x[n, places, c]: statistics of an example's groups of channels.

An image is cut as batch norm cuts its rows (batch_norm.pyx), so the bits of an example don't
depend on the others. Where there are images enough, a thread has runs of whole ones: what it has
just read is still in its cache when it is read again. Else all threads share each image. Gradients
of parameters are summed over the images of a run, then over runs.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, count_chunks
from fastnn._kernels.norm.batch_norm cimport (
    MERGE, SERIAL, WIDTH, blocks, chunk_length, divide, partial_count, partition)
from fastnn._kernels.norm.table cimport norm_columns, simd

from fastnn._kernels.chunks import dealt

cdef enum:
    RUNS = 64           # of images, at most


# One norm or gradient, and the workspace of the image that is computed.
ctypedef struct problem:
    int64_t n, groups, each     # images; groups, and channels in each
    partition cut               # of one image
    double eps
    const float *x
    const float *weight
    const float *bias
    float *y
    float *mean                 # [n, groups], as var
    float *var
    const float *dy             # NULL in the forward pass
    float *dx
    double *sums                # [runs, 2, c]: of dy, and the terms of dweight
    double *own                 # [2, c]: the same of the image
    double *partials            # [2 c] of each part of the image
    float *columns              # [5, width], the vectors of norm_columns


cdef problem describe(const int64_t *d, const double *s) noexcept nogil:
    cdef problem q
    q.n, q.groups, q.each, q.eps = d[0], d[2], d[3], s[0]
    q.cut = divide(d[1], q.groups * q.each)
    q.dy = NULL
    return q


cdef int64_t run_length(int64_t n) noexcept nogil:
    """Images in a run."""
    return max((n + RUNS - 1) // RUNS, 1)


cdef int64_t run_count(int64_t n) noexcept nogil:
    return count_chunks(n, run_length(n))


cdef int64_t room_bytes(const partition *cut) noexcept nogil:
    """Workspace of one image."""
    return (16 * cut.c * (partial_count(cut) + 1) + 20 * cut.width + 63) // 64 * 64


cdef bint by_team(const problem *q, int threads) noexcept nogil:
    return threads > 1 and q.n * q.cut.m * q.cut.c > SERIAL


cdef bint by_image(const problem *q, int threads) noexcept nogil:
    """Whether a thread has whole images."""
    return run_count(q.n) >= threads or q.cut.chunks < 2


cdef int64_t start_of(const partition *cut, int64_t part) noexcept nogil:
    """Where the partial results of a chunk, or of what is left after the chunks, begin."""
    return 2 * part * cut.width


cdef int64_t parts(const partition *cut) noexcept nogil:
    """Chunks, and what is left after them."""
    return cut.chunks + (cut.left > 0)


# Some rows of an image: part number `part`.
cdef struct Rows:
    int64_t count, width, at


cdef Rows rows_of(const partition *cut, int64_t part) noexcept nogil:
    cdef Rows rows
    rows.at = part * cut.chunk_rows * cut.width if part < cut.chunks else cut.rows * cut.width
    rows.count = chunk_length(cut, part) if part < cut.chunks else cut.left
    rows.width = cut.width if part < cut.chunks else cut.c
    return rows


# ---- statistics ----

cdef void moments_of(const problem *q, int64_t image, int64_t part) noexcept nogil:
    """Means and squares about them of the columns of a part, into its partial results."""
    cdef Rows rows = rows_of(&q.cut, part)
    cdef const float *x = q.x + image * q.cut.m * q.cut.c + rows.at
    cdef double *mean = q.partials + start_of(&q.cut, part)
    cdef int64_t block, first
    for block in range(blocks(rows.width)):
        first = block * WIDTH
        simd.moments(rows.count, min(WIDTH, rows.width - first), rows.width, x + first,
                     mean + first, mean + rows.width + first)


cdef void merge_group(const problem *q, int64_t image, int64_t group) noexcept nogil:
    """mean and var of a group, from all columns of its channels in all parts."""
    cdef int64_t part, repeat, j, at, first = group * q.each
    cdef double middle = 0, square = 0, own, total = q.cut.m * q.each
    cdef Rows rows
    cdef const double *mean
    for part in range(parts(&q.cut)):
        rows, own = rows_of(&q.cut, part), 0
        for repeat in range(rows.width // q.cut.c):
            mean = q.partials + start_of(&q.cut, part) + repeat * q.cut.c + first
            for j in range(q.each):
                own += mean[j]
        middle += own * rows.count
    middle /= total
    for part in range(parts(&q.cut)):
        rows, own = rows_of(&q.cut, part), 0
        for repeat in range(rows.width // q.cut.c):
            mean = q.partials + start_of(&q.cut, part) + repeat * q.cut.c + first
            for j in range(q.each):
                square += mean[rows.width + j]
                own += (mean[j] - middle) * (mean[j] - middle)
        square += own * rows.count
    at = image * q.groups + group
    q.mean[at], q.var[at] = <float> middle, <float> (square / total)


# ---- forward ----

cdef void repeat_columns(const partition *cut, float *columns, int64_t vectors) noexcept nogil:
    """Vectors of c values, `width` apart, are repeated up to their width."""
    cdef int64_t vector, j
    for vector in range(vectors):
        for j in range(vector * cut.width + cut.c, (vector + 1) * cut.width):
            columns[j] = columns[j - cut.c]


cdef norm_columns columns_from(const problem *q, int64_t first) noexcept nogil:
    cdef norm_columns v
    v.mean, v.scale = q.columns + first, q.columns + q.cut.width + first
    v.bias, v.slope = v.mean + 2 * q.cut.width, v.mean + 3 * q.cut.width
    v.offset = v.mean + 4 * q.cut.width
    return v


cdef void scale_group(const problem *q, int64_t image, int64_t group) noexcept nogil:
    """mean and scale of a group's channels."""
    cdef int64_t j, at = image * q.groups + group
    cdef float *scale = q.columns + q.cut.width
    cdef float rstd = <float> (1 / sqrt(q.var[at] + q.eps))
    for j in range(group * q.each, (group + 1) * q.each):
        q.columns[j] = q.mean[at]
        scale[j] = q.weight[j] * rstd


cdef void prepare_forward(const problem *q, int64_t image) noexcept nogil:
    """After the moments of all parts: statistics, and the vectors that the parts apply."""
    cdef int64_t group, j
    for group in range(q.groups):
        merge_group(q, image, group)
        scale_group(q, image, group)
    for j in range(q.cut.c):
        q.columns[2 * q.cut.width + j] = q.bias[j]
    repeat_columns(&q.cut, q.columns, 3)


cdef void apply_to(const problem *q, int64_t image, int64_t part) noexcept nogil:
    cdef Rows rows = rows_of(&q.cut, part)
    cdef int64_t block, first, at = image * q.cut.m * q.cut.c + rows.at
    cdef norm_columns v
    for block in range(blocks(rows.width)):
        first = block * WIDTH
        v = columns_from(q, first)
        simd.apply(rows.count, min(WIDTH, rows.width - first), rows.width, q.x + at + first, &v,
                   q.y + at + first, 0)


# ---- backward ----

cdef void sums_of(const problem *q, int64_t image, int64_t part) noexcept nogil:
    """Sums of dy and of dy * (x - mean) of the columns of a part."""
    cdef Rows rows = rows_of(&q.cut, part)
    cdef int64_t block, first, at = image * q.cut.m * q.cut.c + rows.at
    cdef double *sums = q.partials + start_of(&q.cut, part)
    cdef norm_columns v
    for block in range(blocks(rows.width)):
        first = block * WIDTH
        v = columns_from(q, first)
        simd.sums(rows.count, min(WIDTH, rows.width - first), rows.width, q.dy + at + first,
                  q.x + at + first, &v, sums + first, sums + rows.width + first, 0)


cdef void add_parts(const problem *q, double *sum, double *product) noexcept nogil:
    """sum[c] and product[c] = the sums of all parts."""
    cdef int64_t part, repeat, j
    cdef Rows rows
    cdef const double *sums
    for j in range(q.cut.c):
        sum[j] = product[j] = 0
    for part in range(parts(&q.cut)):
        rows = rows_of(&q.cut, part)
        for repeat in range(rows.width // q.cut.c):
            sums = q.partials + start_of(&q.cut, part) + repeat * q.cut.c
            for j in range(q.cut.c):
                sum[j] += sums[j]
                product[j] += sums[rows.width + j]


cdef void slope_group(const problem *q, int64_t image, int64_t group, const double *sum,
                      double *product) noexcept nogil:
    """slope and offset of a group's channels; product becomes the terms of dweight."""
    cdef int64_t j, first = group * q.each
    cdef double total = 0, products = 0, count = q.cut.m * q.each
    cdef double rstd = 1 / sqrt(q.var[image * q.groups + group] + q.eps)
    cdef float *slope = q.columns + 3 * q.cut.width
    for j in range(first, first + q.each):
        total += q.weight[j] * sum[j]
        products += q.weight[j] * product[j]
        product[j] *= rstd
    for j in range(first, first + q.each):
        slope[j] = <float> (-rstd * rstd * rstd * products / count)
        slope[q.cut.width + j] = <float> (-rstd * total / count)


cdef void prepare_sums(const problem *q, int64_t image) noexcept nogil:
    cdef int64_t group
    for group in range(q.groups):
        scale_group(q, image, group)
    repeat_columns(&q.cut, q.columns, 2)


cdef void prepare_backward(const problem *q, int64_t image) noexcept nogil:
    """After the sums of all parts: slope and offset, and what the image adds to its run."""
    cdef int64_t group, j, each = run_length(q.n)
    cdef double *sums = q.sums + 2 * (image // each) * q.cut.c
    add_parts(q, q.own, q.own + q.cut.c)
    for group in range(q.groups):
        slope_group(q, image, group, q.own, q.own + q.cut.c)
    for j in range(2 * q.cut.c):
        sums[j] = q.own[j] + (sums[j] if image % each else 0)
    repeat_columns(&q.cut, q.columns + 3 * q.cut.width, 2)


cdef void gradient_of(const problem *q, int64_t image, int64_t part) noexcept nogil:
    cdef Rows rows = rows_of(&q.cut, part)
    cdef int64_t block, first, at = image * q.cut.m * q.cut.c + rows.at
    cdef norm_columns v
    for block in range(blocks(rows.width)):
        first = block * WIDTH
        v = columns_from(q, first)
        simd.backward(rows.count, min(WIDTH, rows.width - first), rows.width, q.dy + at + first,
                      q.x + at + first, &v, q.dx + at + first, 0, 0)


# ---- images ----

cdef void read_part(const problem *q, int64_t image, int64_t part) noexcept nogil:
    if q.dy == NULL:
        moments_of(q, image, part)
    else:
        sums_of(q, image, part)


cdef void prepare(const problem *q, int64_t image) noexcept nogil:
    if q.dy == NULL:
        prepare_forward(q, image)
    else:
        prepare_backward(q, image)


cdef void write_part(const problem *q, int64_t image, int64_t part) noexcept nogil:
    if q.dy == NULL:
        apply_to(q, image, part)
    else:
        gradient_of(q, image, part)


cdef problem in_room(const problem *q, char *room, int64_t image) noexcept nogil:
    """The problem with the workspace of one image."""
    cdef problem own = q[0]
    own.partials = <double *> room
    own.own = own.partials + 2 * q.cut.c * partial_count(&q.cut)
    own.columns = <float *> (own.own + 2 * q.cut.c)
    if own.dy != NULL:
        prepare_sums(&own, image)
    return own


# Parts that were read last are still in the cache, and are written first.

cdef void run_alone(const problem *q, int64_t image, char *room) noexcept nogil:
    """One image, by this thread."""
    cdef problem own = in_room(q, room, image)
    cdef int64_t part, count = parts(&q.cut)
    for part in range(count):
        read_part(&own, image, count - 1 - part)
    prepare(&own, image)
    for part in range(count):
        write_part(&own, image, part)


cdef void run_together(const problem *q, int64_t image, char *room, int threads) noexcept nogil:
    """One image, by all threads."""
    cdef problem own = in_room(q, room, image)
    cdef int64_t part, count = parts(&q.cut)
    for part in prange(count, num_threads=threads, schedule="static"):
        read_part(&own, image, count - 1 - part)
    prepare(&own, image)
    for part in prange(count, num_threads=threads, schedule="static"):
        write_part(&own, image, part)


cdef void run_images(const problem *q, int64_t number, char *room) noexcept nogil:
    """A run of images, by this thread."""
    cdef int64_t image, each = run_length(q.n)
    for image in range(number * each, number * each + chunk_size(q.n, each, number)):
        run_alone(q, image, room)


cdef void run(const problem *q, char *rooms, int threads) noexcept nogil:
    cdef int64_t image, number, bytes = room_bytes(&q.cut)
    cdef bint team = by_team(q, threads)
    if by_image(q, threads) or not team:
        for number in prange(run_count(q.n), num_threads=threads, schedule="static",
                             use_threads_if=team):
            run_images(q, number, rooms + threadid() * bytes)
    else:
        for image in range(q.n):
            run_together(q, image, rooms, threads)


cdef void group_norm_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = (x - mean) / sqrt(var + eps) * weight + bias; all overwritten.

    mean and (biased) var are over the places and channels of a group of one example.
    p: x[n, places, c], weight[c], bias[c], y, mean[n, groups], var[n, groups], workspace.
    d: n, places, groups, c / groups.  s: eps.  y may be x.
    """
    cdef problem q = describe(d, s)
    q.x, q.weight, q.bias = <const float *> p[0], <const float *> p[1], <const float *> p[2]
    q.y, q.mean, q.var = <float *> p[3], <float *> p[4], <float *> p[5]
    run(&q, p[6], threads)


cdef void add_runs(int64_t n, int64_t c, const double *sums, float *dweight, float *dbias,
                   bint team, int threads) noexcept nogil:
    """dbias[c] and dweight[c] = the sums over the runs of n of sums[runs, 2, c], in order."""
    cdef int64_t task, tasks = (c + MERGE - 1) // MERGE
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=team and tasks > 1):
        add_some(run_count(n), c, sums, task * MERGE, min(MERGE, c - task * MERGE), dweight, dbias)


cdef void add_some(int64_t n, int64_t c, const double *sums, int64_t first, int64_t count,
                   float *dweight, float *dbias) noexcept nogil:
    cdef double total[2][MERGE]
    cdef int64_t i, j
    for j in range(count):
        total[0][j] = total[1][j] = 0
    for i in range(n):
        for j in range(count):
            total[0][j] += sums[2 * i * c + first + j]
            total[1][j] += sums[(2 * i + 1) * c + first + j]
    for j in range(count):
        dbias[first + j], dweight[first + j] = <float> total[0][j], <float> total[1][j]


cdef void group_norm_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx, dweight[c], dbias[c] of group_norm_forward, overwritten.

    dx = (g - mean(g) - z * mean(g * z)) / sqrt(var + eps), z the normed x, g = dy * weight.
    p: dy[n, places, c], x, mean[n, groups], var, weight[c], dx, dweight, dbias, workspace.
    d: n, places, groups, c / groups.  s: eps.  dx may be dy.
    """
    cdef problem q = describe(d, s)
    q.dy, q.x, q.mean, q.var = (<const float *> p[0], <const float *> p[1], <float *> p[2],
                                <float *> p[3])
    q.weight, q.dx, q.sums = <const float *> p[4], <float *> p[5], <double *> p[8]
    run(&q, p[8] + 16 * run_count(q.n) * q.cut.c, threads)
    add_runs(q.n, q.cut.c, q.sums, <float *> p[6], <float *> p[7], by_team(&q, threads), threads)


def _shape(d):
    n, places, groups, each = d
    if n < 0 or places < 1 or groups < 1 or each < 1:
        raise ValueError("group norm needs places, groups and channels in each, not "
                         f"[{n}, {places}, {groups}, {each}]")
    return 4 * n * places * groups * each, 4 * n * groups, 4 * groups * each


def _rooms(d, threads):
    cdef partition cut = divide(d[1], d[2] * d[3])
    return threads * room_bytes(&cut)


def _extents(d, threads):
    images, groups, channels = _shape(d)
    return images, channels, channels, images, groups, groups, _rooms(d, threads)


def _backward_extents(d, threads):
    images, groups, channels = _shape(d)
    return (images, images, groups, groups, channels, images, channels, channels,
            4 * run_count(d[0]) * channels + _rooms(d, threads))


def _loads(d, threads):
    """Values that each thread is dealt."""
    n, places, groups, each = d
    cdef problem q
    q.n, q.cut = n, divide(places, groups * each)
    if by_image(&q, threads):
        each = run_length(n)
        return dealt([places * q.cut.c * chunk_size(n, each, number)
                      for number in range(run_count(n))], threads, alone=not by_team(&q, threads))
    chunks = [rows_of(&q.cut, part).count * rows_of(&q.cut, part).width
              for part in range(parts(&q.cut))]
    return [n * load for load in dealt(chunks, threads, alone=not by_team(&q, threads))]


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "group_norm_forward": (<uintptr_t> &group_norm_forward, _extents, _loads),
    "group_norm_backward": (<uintptr_t> &group_norm_backward, _backward_extents, _loads),
}
