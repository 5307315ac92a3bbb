"""What is wrong with a file of weights."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file of weights or a checkpoint cannot be used; names the file and what is wrong in it."""
