"""Columns of a Course's moments and runs."""

cdef enum:
    NEEDS, MAKES, OVER, WORKSPACE, KIND = 3, BYTES, AFTER, COLUMNS

cdef enum:
    STEP, PAUSE
