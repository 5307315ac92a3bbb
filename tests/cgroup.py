"""A memory limit of the kernel for a test's process: a cgroup inside this process's own."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastnn.runtime.cores import groups
from fastnn.runtime.process_memory import LIMIT_FILES

USED_FILES = ("memory.current", "memory.usage_in_bytes")


class Group:
    """A cgroup of either version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limit, self._used = (
            next(folder / name for name in names if (folder / name).exists())
            for names in (LIMIT_FILES, USED_FILES))

    def join(self) -> None:
        """Let the process that calls this be in the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def used(self) -> int:
        """Bytes that count against the limit now."""
        return int(self._used.read_text())

    @property
    def limit(self) -> int:
        """The limit in bytes; set it to change it. Raises OSError if that is refused."""
        return int(self._limit.read_text())

    @limit.setter
    def limit(self, count: int) -> None:
        self._limit.write_text(str(count))


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Group]:
    """A new group with a limit; skips the test where the system does not allow one."""
    own = next(groups(Path("/proc/self"), "memory"), None)
    if own is None:
        pytest.skip("no cgroup with memory limits")
    folder = own / f"fastnn-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error}")
    try:
        try:
            group = Group(folder)
            group.limit = limit
        except (OSError, StopIteration) as error:
            pytest.skip(f"no limit can be set: {error!r}")
        yield group
    finally:
        folder.rmdir()
