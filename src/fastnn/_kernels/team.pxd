cdef bint in_forked_child() noexcept nogil
