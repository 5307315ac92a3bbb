"""Cut work over the middle axis of [outer, size, inner] into chunks, by the shape only."""

from libc.stdint cimport int64_t

from fastnn._kernels.chunks cimport count_chunks

cdef enum:
    CHUNK = 32768   # about the elements of a chunk
    PARTIALS = 64   # about the most pieces that all results together are cut into
    WIDE = 1024     # most columns of a chunk
    WHOLE = 0       # as `partials`: the axis stays whole

cdef struct Cut:
    int64_t outer
    int64_t size
    int64_t inner
    int64_t columns          # of the inner axis per chunk
    int64_t column_blocks
    int64_t rows             # of the middle axis per piece
    int64_t pieces
    int64_t outer_per_chunk  # 1 unless a chunk holds whole rows of `inner` and of `size`

# What a chunk is of: rows and columns of some outer ones.
cdef struct Piece:
    int64_t row, rows, column, columns, first, end


cdef inline Cut cut_axis(int64_t outer, int64_t size, int64_t inner, int64_t partials,
                         int64_t most_rows) noexcept nogil:
    """Cut outer and inner; if that gives few chunks, the middle axis too, into about `partials`.

    most_rows: of a piece, a multiple of 4.
    """
    cdef Cut cut
    cdef int64_t pieces, results
    cut.outer = outer
    cut.size = size
    cut.inner = inner
    cut.columns = max(min(inner, WIDE), 1)
    cut.column_blocks = (inner + cut.columns - 1) // cut.columns
    results = max(outer * cut.column_blocks, 1)
    pieces = max(min(size * cut.columns // CHUNK, partials // results), 1)
    pieces = max(pieces, (size + most_rows - 1) // most_rows)
    cut.rows = max(((size + pieces - 1) // pieces + 3) // 4 * 4, 4)
    cut.pieces = max((size + cut.rows - 1) // cut.rows, 1)
    cut.outer_per_chunk = 1
    if cut.pieces == 1 and cut.column_blocks == 1:
        cut.outer_per_chunk = max(CHUNK // max(size * inner, 1), 1)
    return cut


cdef inline int64_t chunks_of(const Cut *cut) noexcept nogil:
    return (count_chunks(cut.outer, cut.outer_per_chunk) * cut.column_blocks * cut.pieces
            if cut.outer * cut.inner else 0)


cdef inline Piece piece_of(const Cut *cut, int64_t chunk) noexcept nogil:
    cdef Piece piece
    piece.row = chunk % cut.pieces * cut.rows
    piece.rows = min(cut.rows, cut.size - piece.row)
    piece.column = chunk // cut.pieces % cut.column_blocks * cut.columns
    piece.columns = min(cut.columns, cut.inner - piece.column)
    piece.first = chunk // (cut.pieces * cut.column_blocks) * cut.outer_per_chunk
    piece.end = min(piece.first + cut.outer_per_chunk, cut.outer)
    return piece


cdef inline list piece_sizes(const Cut *cut):
    """Elements of each chunk."""
    cdef Piece piece
    sizes = []
    for chunk in range(chunks_of(cut)):
        piece = piece_of(cut, chunk)
        sizes.append((piece.end - piece.first) * piece.rows * piece.columns)
    return sizes
