"""Walk over two strided tensors of one shape, plane by plane, in chunks of a fixed size.

A shape is simplified (sizes of 1 dropped, dimensions that both tensors walk as one merged); its
last two dimensions are the plane. Small planes go several to a chunk, large ones are cut in blocks.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.chunks cimport chunk_fn, run_chunks

cdef enum:
    MOST_SIZES = 27  # of up to 8 dimensions
    SERIAL_WALK = 4  # chunks that are not worth a team of threads

cdef struct Walk:
    int64_t tag               # the kernel's own
    int64_t ndim              # 2 to 9
    int64_t planes            # product of all but the last two sizes
    int64_t planes_per_chunk
    int64_t rows_per_block
    int64_t columns_per_block
    int64_t row_blocks        # 1 unless planes_per_chunk is 1
    int64_t column_blocks
    int64_t shape[9]
    int64_t a[9]              # strides in elements
    int64_t b[9]

cdef struct Block:
    int64_t rows
    int64_t columns
    int64_t a                 # offset of the first element
    int64_t a_row             # strides within the block
    int64_t a_step
    int64_t b
    int64_t b_row
    int64_t b_step
    int64_t index             # of the first element, were the whole shape contiguous


cdef inline void simplify(Walk *walk, int64_t ndim, const int64_t *shape, const int64_t *a,
                          const int64_t *b) noexcept nogil:
    """Fill in shape and strides without sizes of 1, padded in front to two dimensions."""
    cdef int64_t i, kept = 2
    walk.shape[0] = walk.shape[1] = 1
    walk.a[0] = walk.a[1] = walk.b[0] = walk.b[1] = 0
    for i in range(ndim):
        if shape[i] == 1:
            continue
        if (walk.shape[kept - 1] != 1 and walk.a[kept - 1] == a[i] * shape[i]
                and walk.b[kept - 1] == b[i] * shape[i]):
            walk.shape[kept - 1] *= shape[i]
        elif walk.shape[1] == 1:
            walk.shape[1] = shape[i]
        elif walk.shape[0] == 1:
            _move(walk, 1, 0)
            walk.shape[1] = shape[i]
        else:
            walk.shape[kept] = shape[i]
            kept += 1
        walk.a[kept - 1] = a[i]
        walk.b[kept - 1] = b[i]
    walk.ndim = kept


cdef inline void _move(Walk *walk, int64_t source, int64_t target) noexcept nogil:
    walk.shape[target] = walk.shape[source]
    walk.a[target] = walk.a[source]
    walk.b[target] = walk.b[source]


cdef inline void rows_along(Walk *walk, int64_t dimension) noexcept nogil:
    """Make `dimension`, not the last, the rows of the plane."""
    cdef int64_t shape = walk.shape[dimension], a = walk.a[dimension], b = walk.b[dimension], i
    for i in range(dimension, walk.ndim - 2):
        _move(walk, i + 1, i)
    walk.shape[walk.ndim - 2] = shape
    walk.a[walk.ndim - 2] = a
    walk.b[walk.ndim - 2] = b


cdef inline int64_t cut(Walk *walk, int64_t size, int64_t least_rows) noexcept nogil:
    """Cut into chunks of about `size` elements, of a multiple of least_rows rows; how many."""
    cdef int64_t rows = walk.shape[walk.ndim - 2], columns = walk.shape[walk.ndim - 1], i
    walk.planes = 1
    for i in range(walk.ndim - 2):
        walk.planes *= walk.shape[i]
    if walk.planes == 0 or rows == 0 or columns == 0:
        return 0
    walk.columns_per_block = min(columns, size // least_rows)
    walk.rows_per_block = max(size // columns // least_rows, 1) * least_rows
    walk.row_blocks = (rows + walk.rows_per_block - 1) // walk.rows_per_block
    walk.column_blocks = (columns + walk.columns_per_block - 1) // walk.columns_per_block
    walk.planes_per_chunk = 1
    if walk.row_blocks == 1 and walk.column_blocks == 1:
        walk.planes_per_chunk = max(size // (rows * columns), 1)
    return ((walk.planes + walk.planes_per_chunk - 1) // walk.planes_per_chunk
            * walk.row_blocks * walk.column_blocks)


cdef inline int64_t blocks_of(const Walk *walk, int64_t chunk) noexcept nogil:
    """Blocks in a chunk: its number of planes, unless planes are cut."""
    if walk.planes_per_chunk == 1:
        return 1
    return min(walk.planes_per_chunk, walk.planes - chunk * walk.planes_per_chunk)


cdef inline Block block_of(const Walk *walk, int64_t chunk, int64_t number) noexcept nogil:
    """Block `number` of chunk `chunk`."""
    cdef Block block
    cdef int64_t i, last = walk.ndim - 1
    cdef int64_t column = chunk % walk.column_blocks * walk.columns_per_block
    cdef int64_t row = chunk // walk.column_blocks % walk.row_blocks * walk.rows_per_block
    cdef int64_t plane = (chunk // (walk.column_blocks * walk.row_blocks) * walk.planes_per_chunk
                          + number)
    block.rows = min(walk.rows_per_block, walk.shape[last - 1] - row)
    block.columns = min(walk.columns_per_block, walk.shape[last] - column)
    block.index = (plane * walk.shape[last - 1] + row) * walk.shape[last] + column
    block.a_row = walk.a[last - 1]
    block.b_row = walk.b[last - 1]
    block.a_step = walk.a[last]
    block.b_step = walk.b[last]
    block.a = row * block.a_row + column * block.a_step
    block.b = row * block.b_row + column * block.b_step
    for i in range(last - 2, -1, -1):
        block.a += plane % walk.shape[i] * walk.a[i]
        block.b += plane % walk.shape[i] * walk.b[i]
        plane //= walk.shape[i]
    return block


cdef inline Walk walk_of(const int64_t *d) noexcept nogil:
    """d: tag, ndim, shape, strides of a, strides of b [ndim each]."""
    cdef Walk walk
    cdef int64_t ndim = d[1]
    simplify(&walk, ndim, d + 2, d + 2 + ndim, d + 2 + 2 * ndim)
    walk.tag = d[0]
    return walk


cdef inline list chunk_sizes(const Walk *walk, int64_t chunks):
    """Elements of each chunk."""
    cdef int64_t chunk, number, elements
    cdef Block block
    sizes = []
    for chunk in range(chunks):
        elements = 0
        for number in range(blocks_of(walk, chunk)):
            block = block_of(walk, chunk, number)
            elements += block.rows * block.columns
        sizes.append(elements)
    return sizes


cdef inline void run_broadcast(chunk_fn run, char **p, const int64_t *d, const double *s,
                               int64_t size, int threads) noexcept nogil:
    """Run chunks of about `size` elements; d of a chunk is the walk. d: as walk_of."""
    cdef Walk walk = walk_of(d)
    run_chunks(run, p, <const int64_t *> &walk, s, cut(&walk, size, 1), SERIAL_WALK, threads)


cdef inline list broadcast_sizes(d, int64_t size):
    """Elements of each chunk that run_broadcast runs."""
    cdef int64_t sizes[MOST_SIZES]
    cdef Walk walk
    for i, number in enumerate(d):
        sizes[i] = number
    walk = walk_of(sizes)
    return chunk_sizes(&walk, cut(&walk, size, 1))
