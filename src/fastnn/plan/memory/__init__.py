"""Lay out buffers in the arena."""
