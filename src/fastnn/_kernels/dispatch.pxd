cdef int LEVEL  # the number of the level in use, for the tables of all families
cdef int LANES  # floats in one of its vectors
